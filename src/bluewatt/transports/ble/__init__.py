"""Bluetooth Low Energy, the central side: scan, connect, pair."""
