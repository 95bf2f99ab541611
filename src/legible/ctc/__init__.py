"""CTC decoding: from the logits of a network to the labels of a text."""
