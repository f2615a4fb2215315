"""The device side of a connection, for the emulator."""
