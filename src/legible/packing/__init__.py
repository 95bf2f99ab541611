"""Packing: from trained weights to the shipped bundle: confidence, lexicon, drift reference, model card, checksums."""
