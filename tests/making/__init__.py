"""What several tests make: emulated devices, recordings, key files, ports."""
