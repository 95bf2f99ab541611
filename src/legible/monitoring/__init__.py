"""The drift check, the report that shows it, and the metrics that export it."""
