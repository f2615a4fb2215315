"""The simulated devices, a file for each kind."""
