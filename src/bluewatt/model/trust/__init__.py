"""Is the key right, can the value be true: evidence, doubt, and what is remembered for them."""
