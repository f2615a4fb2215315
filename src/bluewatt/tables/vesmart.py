"""The layout of VE.Smart networking broadcasts, part by part.

Source: protocol page vesmart-networking, sections 2 to 5 and 8. Most of it rests on one public implementation; no
captured packet has been published, so everything but the serial numbers is *unproven*. There are two record types:
the counter record (0x01) publishes the high part of a sender's message counter, authenticated and not encrypted; the
data record (0x02) carries register values, encrypted. Their numbers stand with the other first bytes, in
`advertisement.py`.
"""

from __future__ import annotations

from typing import Final, NamedTuple


class Part(NamedTuple):
    """One part of a layout: its name and its `struct` format, little endian."""

    name: str
    format: str


HEADER: Final = (Part("record_type", "B"), Part("group", "B"), Part("serial", "I"), Part("sequence", "I"))
"""The start of both record types, counted from the byte after the company identifier."""

OVERFLOW: Final = (Part("overflow", "H"),)
"""What follows the header in an overflow record, before the tag."""

NONCE: Final = (
    Part("record_type", "B"),
    Part("sequence", "I"),
    Part("overflow", "H"),
    Part("serial", "I"),
    Part("network_id", "2s"),
)
"""The 13 bytes of the AES-CCM nonce; the network identifier stands as it is written in hex."""

CONTENT: Final = (Part("kind", "B"),)
"""The start of the plaintext."""

REGISTER_VALUE: Final = (Part("register", "H"), Part("length", "B"))
"""What stands before each value in the plaintext."""

TAG_SIZE: Final = 4
NETWORK_ID_SIZE: Final = 2

CONTENT_KINDS: Final = (0x0F, 0x08)
"""First plaintext bytes whose register values are understood; the first is written. How they differ is unknown."""

LONGEST_CONTENT: Final = 240
"""Longest plaintext that is read, for extended advertising (inferred)."""
LONGEST_LEGACY_CONTENT: Final = 13
"""Longest plaintext in a legacy advertisement without a flags structure (inferred)."""
LONGEST_FLAGGED_CONTENT: Final = 10
"""Longest plaintext in a legacy advertisement with the usual flags structure (inferred)."""

SEQUENCE_BITS: Final = 32
COUNTER_BITS: Final = 48
"""Broadcasts of either type are counted: the low bits are the sequence, the high ones the overflow (inferred)."""

OVERFLOW_PERIOD: Final = 60.0
"""Seconds after which a sender repeats its overflow record at the latest (inferred)."""
DATA_PERIOD: Final = 1.0
"""Seconds between two data records of a sender (inferred)."""
RESTART_SKIP: Final = 1000
"""Counts a sender leaves out after a restart, so that no nonce is used twice."""

SERIAL_DIGITS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
SERIAL_LENGTH: Final = 11
SERIAL_SUFFIX_LENGTH: Final = 5
FIRST_PREFIX_LETTER: Final = "G"
"""The first letter of a printed serial number counts from here (section 5, confirmed by captured pairs)."""
