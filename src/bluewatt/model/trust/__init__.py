"""Judgements on keys and values: whether a key is right, whether a value can be true, and what is kept to tell."""
