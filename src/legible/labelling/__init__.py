"""Labelling: which images people transcribe next, their labels, and labels that look wrong."""
