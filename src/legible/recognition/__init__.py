"""The served artefact: the bundle, and the recognizer that turns an image into a Reading with it."""
