"""Whole pages: a picture, scan or PDF in; its lines and words in reading order out, in the formats people use."""
