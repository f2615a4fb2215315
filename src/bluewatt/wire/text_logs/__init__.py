"""Connections in the text that people save: a module per family of formats; `text_log` reads a whole text."""
