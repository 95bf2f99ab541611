"""Reads a picture of a word or a line and answers with its text and a confidence that means something."""

__version__ = "0.1.0"
