"""What to transcribe next, and which labels look wrong."""
