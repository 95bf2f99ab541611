"""Whole pages: from an image, scan or PDF to its lines and words in reading order, in common formats."""
