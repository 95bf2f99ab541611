"""From logits to labels."""
