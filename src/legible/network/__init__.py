"""The Keras networks by size: the image's columns go in, logits over the charset come out."""
