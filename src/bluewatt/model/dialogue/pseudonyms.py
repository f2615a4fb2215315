"""What stands in the place of addresses, keys, serial numbers and names in a capture made safe to share. Pure.

The same thing is replaced by the same everywhere, by something of the same length, so that what is left still decodes.
Substitutes are counted, never derived from what they stand for.
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
"""Shorter texts are replaced where they stand as a value, but not searched for elsewhere."""

_SHORTEST_NUMBER = 0xFFFFFF
"""Smaller numbers of devices could be anything."""


class Pseudonyms:
    """Things found and what replaces them."""

    def __init__(self) -> None:
        self.addresses: dict[str, str] = {}
        self.keys: dict[bytes, bytes] = {}
        self.texts: dict[bytes, bytes] = {}
        self.numbers: dict[int, int] = {}

    def address(self, text: str) -> str:
        """An address of the same kind (public or random) in place of one; what is no address stays."""
        if len(text.split(":")) != _ADDRESS_SIZE:
            return text
        if text not in self.addresses:
            number = len(self.addresses) + 1
            first = int(text[:2], 16) & _RANDOM_STATIC
            self.addresses[text] = f"{first:02X}:00:5E:00:{number >> 8 & 0xFF:02X}:{number & 0xFF:02X}"
        return self.addresses[text]

    def key(self, key: bytes) -> bytes:
        """A key that everybody may know in place of one."""
        if key not in self.keys:
            number = len(self.keys)
            self.keys[key] = bytes([(0x5E + number) & 0xFF]) + b"not a real key!"
        return self.keys[key]

    def text(self, text: bytes) -> bytes:
        """A text of the same length in place of a name or serial number."""
        if not text.strip(b"\0\xff "):
            return text
        if text not in self.texts:
            number = len(self.texts) + 1
            made = b"XX%04dXXXXX" % number if _SERIAL.fullmatch(text) else b"Device %d" % number
            self.texts[text] = made[: len(text)].ljust(len(text))
        return self.texts[text]

    def number(self, number: int) -> int:
        """A small number in place of one that names a device."""
        return self.numbers.setdefault(number, len(self.numbers) + 1)

    def name(self, name: str) -> str:
        """A name in place of a name."""
        return self.text(name.encode()).decode("ascii")

    def part(self, data: bytes) -> bytes:
        """A part of a long value: the same part of its substitute, else nothing but its length."""
        for was, substitute in self.texts.items():
            if (at := was.find(data)) >= 0:
                return substitute[at : at + len(data)]
        return bytes(len(data))

    def everywhere(self, data: bytes) -> bytes:
        """Bytes of any kind with everything known replaced, and serial numbers nobody had seen before."""
        for text, address in self.addresses.items():
            old, new = bytes.fromhex(text.replace(":", "")), bytes.fromhex(address.replace(":", ""))
            data = data.replace(old, new).replace(old[::-1], new[::-1])
        for number, other in self.numbers.items():
            if number > _SHORTEST_NUMBER:
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
