"""The drift check of a deployment: what was found, the report that shows it, and the metrics that export it."""
