"""Bytes to grey image, grey image to model input and to its statistics."""
