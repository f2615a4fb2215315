"""Explanations of one advertisement or message, byte by byte."""
