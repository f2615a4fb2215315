"""Captured connections: the messages of client and device, their meaning, comparison and redaction."""
