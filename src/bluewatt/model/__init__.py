"""What is known of devices: readings, keys, trust, presence and captured conversations. Pure: no clock, no I/O."""
