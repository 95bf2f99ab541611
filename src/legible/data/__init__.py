"""The sources of samples, and the versioned data set that they become."""
