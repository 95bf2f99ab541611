"""The memory of a running service: a row for each reading, corrections, and images where that is switched on."""
