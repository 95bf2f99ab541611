"""Weights from a data set, and the served artefact from weights."""
