"""Measures the artefact that is served: how much it reads right, and how sure it may be."""
