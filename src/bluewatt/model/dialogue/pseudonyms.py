"""Substitutes for addresses, keys, serial numbers and names in a capture made safe to share. Pure.

The same thing always has the same substitute, of the same length, so that the result still decodes. Substitutes are
numbered, never derived from what they replace.
"""

from __future__ import annotations

import re
from typing import Final

_SERIAL: Final = re.compile(rb"[A-Z]{2}[0-9]{4}[A-Z0-9]{5}")
"""A printed serial number, such as HQ2104VESU7."""
_SERIAL_LENGTH = 11
_RANDOM_STATIC = 0xC0
_ADDRESS_SIZE = 6
_SHORTEST_KNOWN = 4
"""Bytes below which a text is replaced only where it is a value, and not searched for elsewhere."""

_LEAST_DISTINCT = 0xFFFFFF
"""Device numbers up to this are not searched for elsewhere: they could mean anything."""


class Pseudonyms:
    """Everything found that names a person or device, with its substitute."""

    def __init__(self) -> None:
        self.addresses: dict[str, str] = {}
        self.keys: dict[bytes, bytes] = {}
        self.texts: dict[bytes, bytes] = {}
        self.numbers: dict[int, int] = {}

    def address(self, text: str) -> str:
        """Return a substitute of the same kind (public or random) for an address; other text is returned as it is."""
        if len(text.split(":")) != _ADDRESS_SIZE:
            return text
        if text not in self.addresses:
            number = len(self.addresses) + 1
            first = int(text[:2], 16) & _RANDOM_STATIC
            self.addresses[text] = f"{first:02X}:00:5E:00:{number >> 8 & 0xFF:02X}:{number & 0xFF:02X}"
        return self.addresses[text]

    def key(self, key: bytes) -> bytes:
        """Return a substitute for a key."""
        if key not in self.keys:
            number = len(self.keys)
            self.keys[key] = bytes([(0x5E + number) & 0xFF]) + b"not a real key!"
        return self.keys[key]

    def text(self, text: bytes) -> bytes:
        """Return a substitute of the same length for a name or serial number."""
        if not text.strip(b"\0\xff "):
            return text
        if text not in self.texts:
            number = len(self.texts) + 1
            made = b"XX%04dXXXXX" % number if _SERIAL.fullmatch(text) else b"Device %d" % number
            self.texts[text] = made[: len(text)].ljust(len(text))
        return self.texts[text]

    def number(self, number: int) -> int:
        """Return a small number as substitute for one that names a device."""
        return self.numbers.setdefault(number, len(self.numbers) + 1)

    def name(self, name: str) -> str:
        """Return a substitute for a name."""
        return self.text(name.encode()).decode("ascii")

    def part(self, data: bytes) -> bytes:
        """Return the same part of the substitute for a part of a long value; zeros if the value is not known."""
        for was, substitute in self.texts.items():
            if (at := was.find(data)) >= 0:
                return substitute[at : at + len(data)]
        return bytes(len(data))

    def everywhere(self, data: bytes) -> bytes:
        """Return bytes of any kind with everything known replaced, and with all serial numbers replaced."""
        for text, address in self.addresses.items():
            old, new = bytes.fromhex(text.replace(":", "")), bytes.fromhex(address.replace(":", ""))
            data = data.replace(old, new).replace(old[::-1], new[::-1])
        for number, other in self.numbers.items():
            if number > _LEAST_DISTINCT:
                data = data.replace(number.to_bytes(4, "little"), other.to_bytes(4, "little"))
        for key, made in self.keys.items():
            data = data.replace(key[::-1], made[::-1]) if len(key) >= _SHORTEST_KNOWN else data
        for known in (self.keys, self.texts):
            for was, substitute in sorted(known.items(), key=lambda pair: -len(pair[0])):
                if len(was) >= _SHORTEST_KNOWN:
                    data = data.replace(was, substitute)
        return _SERIAL.sub(lambda found: self._serial(found[0]), data)

    def _serial(self, text: bytes) -> bytes:
        return text if text in self.texts.values() else self.text(text)
