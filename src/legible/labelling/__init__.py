"""Chooses what people transcribe next, and finds labels that look wrong."""
