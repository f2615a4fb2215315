"""Bluetooth packets as a capture holds them: HCI, link layer, attribute protocol."""
