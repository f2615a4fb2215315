"""One advertisement or message, byte by byte."""
