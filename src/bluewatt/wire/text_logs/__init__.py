"""Connections in the text that people save: a module per family of forms, `text_log` reads a whole text."""
