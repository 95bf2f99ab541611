"""The fire drill: it sends corrupted images to a running service, and records who notices, after how many."""
