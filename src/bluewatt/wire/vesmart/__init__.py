"""VE.Smart networking: broadcasts between devices of one network."""
