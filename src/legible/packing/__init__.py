"""From trained weights to the shipped bundle: confidence, lexicon, drift reference, card, checksums."""
