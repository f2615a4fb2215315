"""What runs over links and frames and knows no radio: reading, writing, keys, PINs, the simulator, the emulator."""
