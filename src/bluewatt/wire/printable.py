"""Text from outside made fit for a terminal: names, register texts, product texts, names in archives.

Anyone in radio range can give a device any name. So text from outside passes through here where it enters,
and everything behind (tables, sentences, error messages, reports) may print it as it is. The bytes stay what they were.
"""

from __future__ import annotations


def printable(text: str) -> str:
    """Return the text without what would move a cursor, change colours, or turn the direction of writing."""
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)
