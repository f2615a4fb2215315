"""Captures, recordings and pasted text, turned into the forms people ask for."""
