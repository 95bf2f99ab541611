"""From drift to a candidate: an issue, a queue to label, a fine-tuned bundle that is judged, and a proposal."""
