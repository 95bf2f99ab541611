"""Whole pages drawn with the exact place of every line: what the line detector learns from."""
