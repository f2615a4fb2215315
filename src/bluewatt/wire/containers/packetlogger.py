"""Apple PacketLogger: no file header; per packet its length, seconds, microseconds, a type byte and the packet.

The length counts what follows it (nine bytes of header and the packet). Written big-endian by old versions of the
program and little-endian by newer ones and by iOS: the byte order is the one in which the first record is plausible.
The format is not published; the facts are those that readers of it agree on.
"""

from __future__ import annotations

import struct

from bluewatt.wire.bluetooth.packets import FROM_CONTROLLER, TO_CONTROLLER, Packet, PacketKind
from bluewatt.wire.containers.framing import packet_length
from bluewatt.wire.containers.stream import MAX_PACKET, PacketReader

RECORD_HEADER = 13
"""Length of a record header: length, seconds, microseconds (32 bits each), type."""

_COUNTED = 9
_MICROSECONDS = 1_000_000
_NOTES = frozenset(range(0xE0, 0x100))
"""Types of notes about the system, such as 0xFC; they hold text or properties, no packet."""

_TYPES: dict[int, tuple[PacketKind, int]] = {
    0x00: (PacketKind.COMMAND, TO_CONTROLLER),
    0x01: (PacketKind.EVENT, FROM_CONTROLLER),
    0x02: (PacketKind.ACL, TO_CONTROLLER),
    0x03: (PacketKind.ACL, FROM_CONTROLLER),
    0x08: (PacketKind.SYNCHRONOUS, TO_CONTROLLER),
    0x09: (PacketKind.SYNCHRONOUS, FROM_CONTROLLER),
    0x12: (PacketKind.ISOCHRONOUS, TO_CONTROLLER),
    0x13: (PacketKind.ISOCHRONOUS, FROM_CONTROLLER),
}
_FIRST_TYPES = _TYPES.keys() | _NOTES | {0x0A, 0x0B, 0x0C}


def byte_order(head: bytes) -> str | None:
    """Return the byte order of the records if `head` begins a PacketLogger file, else None."""
    for order in "><":
        if len(head) >= RECORD_HEADER:
            length, seconds, fraction, kind = struct.unpack_from(order + "IIIB", head)
            if _believable(length, fraction) and kind in _FIRST_TYPES and (seconds or kind in _NOTES):
                return order
    return None


def is_first_packet_whole(head: bytes, order: str) -> bool:
    """Return whether the first packet is as long as its own header says; files of hcidump look similar."""
    length: int = struct.unpack_from(order + "I", head)[0]
    code = head[RECORD_HEADER - 1]
    kind = _TYPES[code][0] if code in _TYPES else PacketKind.NOTE
    return packet_length(bytes([kind]) + head[RECORD_HEADER:]) == length - _COUNTED + 1


def _believable(length: int, fraction: int) -> bool:
    return _COUNTED <= length <= MAX_PACKET and fraction < _MICROSECONDS


class PacketLoggerReader(PacketReader):
    """The reader of a PacketLogger file, from its very first byte, in the byte order given."""

    def __init__(self, order: str) -> None:
        super().__init__(0)
        self._order = order
        self._record = struct.Struct(order + "IIIB")
        self._seconds = 0
        self.anchor_at = 4 if order == ">" else 6

    def _scan(self, buffer: bytes, position: int, packets: list[Packet]) -> tuple[int, str]:
        unpack, size, base = self._record.unpack_from, len(buffer), self.offset
        while position + RECORD_HEADER <= size:
            length, seconds, fraction, code = unpack(buffer, position)
            if not _believable(length, fraction):
                return position, f"a PacketLogger record claims {length} bytes"
            end = position + 4 + length
            if end > size:
                break
            self._seconds = seconds
            kind, direction = _TYPES.get(code, (PacketKind.NOTE, None))
            data = buffer[position + RECORD_HEADER : end]
            packets.append((seconds + fraction / _MICROSECONDS, kind, direction, data, base + position, 0))
            position = end
        return position, ""

    def _end(self, buffer: bytes, position: int) -> int:
        if position + RECORD_HEADER > len(buffer):
            return -1
        length, _, fraction, _ = self._record.unpack_from(buffer, position)
        end: int = position + 4 + length
        return end if _believable(length, fraction) and end <= len(buffer) else -1

    def _anchor(self) -> bytes:
        # The upper half of the seconds stays the same for eighteen hours.
        return (self._seconds >> 16).to_bytes(2, "big" if self._order == ">" else "little") if self._seconds else b""
