"""The generator: words, lines and pages drawn in fonts and pen paths, on paper, as a scanner or a camera sees them."""
