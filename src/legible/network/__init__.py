"""Keras networks by size: columns of an image in, logits over the charset out."""
