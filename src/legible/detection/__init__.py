"""Detection: from a page to its lines in reading order: outline, orientation, lines and their order."""
