"""The served artefact: image in, Reading out. LiteRT, never Keras."""
