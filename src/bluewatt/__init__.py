"""Bluewatt: Victron Energy Bluetooth, heard, talked to, imitated, explained and remembered."""
