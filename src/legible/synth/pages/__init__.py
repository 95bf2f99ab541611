"""Whole pages drawn with the exact place of every line: the line detector is trained on them."""
