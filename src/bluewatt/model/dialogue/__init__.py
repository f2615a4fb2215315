"""Captured connections: what client and device said to each other."""
