"""Victron's encrypted advertisements: header, cipher, record."""
