"""The fire drill: corrupted images to a running service, and who notices after how many."""
