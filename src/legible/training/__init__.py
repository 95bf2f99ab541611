"""Training: from a data set to float weights, and from weights to the artefact that is served."""
