"""What `hcidump -w` writes: no file header; per packet a header of twelve bytes and the packet with its indicator.

Header, little-endian: length of the packet (16 bits), direction (1: received), a byte without meaning, seconds and
microseconds (32 bits each). The layout is that of the program itself, which has long left BlueZ but not its users. A
PacketLogger file can look alike byte for byte up to the thirteenth, so a file is known by its first packet: its own
length must be what the header says.
"""

from __future__ import annotations

import struct

from bluewatt.wire.bluetooth.packets import Packet
from bluewatt.wire.containers.framing import PACKET_LENGTHS, packet_length
from bluewatt.wire.containers.stream import PacketReader

RECORD = struct.Struct("<HBBII")
"""One record header: length, direction, nothing, seconds, microseconds."""

_MICROSECONDS = 1_000_000
_KINDS = frozenset((*PACKET_LENGTHS, 0xFF))
"""Packet indicators; makers of controllers use 0xFF for their own."""


def is_hcidump(head: bytes) -> bool:
    """Return whether `head` begins with a record whose packet is as long as its header says."""
    if not _believable(head, 0):
        return False
    length: int = RECORD.unpack_from(head)[0]
    return packet_length(head[RECORD.size :]) == length


def _believable(buffer: bytes, position: int) -> bool:
    """Return whether a record header and the indicator behind it are plausible."""
    if position + RECORD.size >= len(buffer):
        return False
    length, direction, _, _, fraction = RECORD.unpack_from(buffer, position)
    return length > 0 and direction <= 1 and fraction < _MICROSECONDS and buffer[position + RECORD.size] in _KINDS


class HcidumpReader(PacketReader):
    """The reader of an hcidump file, from its very first byte."""

    anchor_at = 6

    def __init__(self) -> None:
        super().__init__(0)
        self._seconds = 0

    def _scan(self, buffer: bytes, position: int, packets: list[Packet]) -> tuple[int, str]:
        size, base = len(buffer), self.offset
        while (body := position + RECORD.size) < size:
            if not _believable(buffer, position):
                return position, "an hcidump record has a header that makes no sense"
            length, direction, _, seconds, fraction = RECORD.unpack_from(buffer, position)
            end = body + length
            if end > size:
                break
            self._seconds = seconds
            at = seconds + fraction / _MICROSECONDS
            packets.append((at, buffer[body], direction, buffer[body + 1 : end], base + position, 0))
            position = end
        return position, ""

    def _end(self, buffer: bytes, position: int) -> int:
        if not _believable(buffer, position):
            return -1
        length: int = RECORD.unpack_from(buffer, position)[0]
        end = position + RECORD.size + length
        return end if end <= len(buffer) else -1

    def _anchor(self) -> bytes:
        # The upper half of the seconds stays the same for eighteen hours.
        return (self._seconds >> 16).to_bytes(2, "little") if self._seconds else b""
