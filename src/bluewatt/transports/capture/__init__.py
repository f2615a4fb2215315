"""Captures and recordings as sources."""
