"""A page in, its lines in reading order out: outline, orientation, lines and their order."""
