"""A Bluetooth radio inside this process."""
