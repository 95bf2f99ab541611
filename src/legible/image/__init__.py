"""Images: from bytes to a grey image, and from a grey image to model input and to statistics."""
