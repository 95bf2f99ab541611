"""Drawn samples: words and lines in fonts, on paper, as a scanner or a camera sees them."""
