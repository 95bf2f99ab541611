"""What a running service remembers: a row for each reading, corrections, and images where that is switched on."""
