"""Readings and captures in a form for people or programs: files, charts, terminal screens."""
