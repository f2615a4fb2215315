"""BlueZ, the Bluetooth service of Linux, over the system bus."""
