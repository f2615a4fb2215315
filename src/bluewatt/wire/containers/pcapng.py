"""pcapng: blocks of type, length, body, length again; sections with their own byte order, interfaces with their links.

Block types read: section header, interface description, enhanced packet, simple packet, and the old packet block;
others are skipped. Layout: the pcapng specification (IETF draft-ietf-opsawg-pcapng).
"""

from __future__ import annotations

import struct
from typing import Literal, NamedTuple

from bluewatt.errors import CaptureError, Malformed
from bluewatt.wire.bluetooth.packets import Packet
from bluewatt.wire.containers.framing import LinkType, unwrap
from bluewatt.wire.containers.pcap import LINKS
from bluewatt.wire.containers.stream import MAX_PACKET, PacketReader

SECTION = b"\x0a\x0d\x0d\x0a"
"""The type of a section header block, the same in both byte orders, and so the magic of the container."""

_BYTE_ORDERS = {b"\x1a\x2b\x3c\x4d": ">", b"\x4d\x3c\x2b\x1a": "<"}
_SECTION, _INTERFACE, _OLD_PACKET, _SIMPLE_PACKET, _PACKET = 0x0A0D0D0A, 1, 2, 3, 6
_OPTION_FLAGS, _OPTION_RESOLUTION, _OPTION_OFFSET = 2, 9, 14
_MAX_BLOCK = 4 * MAX_PACKET
_DIRECTIONS = {1: 1, 2: 0}
"""Direction bits of a packet's flags option: 1 is inbound (from the controller), 2 is outbound."""


class _Interface(NamedTuple):
    link: int
    snapshot: int
    ticks: int
    """Time stamp units per second."""
    offset: int
    """Seconds added to every time stamp."""


class PcapngReader(PacketReader):
    """The reader of a pcapng capture, from its very first byte.

    An interface of a link type not known is reported once as a problem and its packets are skipped; where no
    interface at all is readable `finish` says so.
    """

    def __init__(self) -> None:
        super().__init__(0)
        self._use("<")
        self._interfaces: list[_Interface] = []
        self._unknown: CaptureError | None = None
        self._readable = False
        self._at = 0.0

    def finish(self) -> tuple[list[Packet], CaptureError | None]:
        """Return as `PacketReader.finish`; an error, too, if all interfaces were of unknown link types."""
        packets, error = super().finish()
        return packets, error or (None if self._readable else self._unknown)

    def _scan(self, buffer: bytes, position: int, packets: list[Packet]) -> tuple[int, str]:
        size = len(buffer)
        while position + 12 <= size:
            kind, length = self._head.unpack_from(buffer, position)
            if kind == _SECTION:
                if not self._begin_section(buffer, position):
                    return position, "a pcapng section header has no byte order mark"
                kind, length = self._head.unpack_from(buffer, position)
            if length < 12 or length % 4 or length > _MAX_BLOCK:
                return position, f"a pcapng block claims a length of {length}"
            end = position + length
            if end > size:
                break
            if buffer[end - 4 : end] != buffer[position + 4 : position + 8]:
                return position, "the two lengths of a pcapng block differ"
            try:
                self._block(kind, buffer[position + 8 : end - 4], self.offset + position, packets)
            except (Malformed, struct.error) as error:
                reason = str(error) if isinstance(error, Malformed) else "a pcapng block is too short for its type"
                self.problems.append(CaptureError(reason, offset=self.offset + position))
            position = end
        return position, ""

    def _begin_section(self, buffer: bytes, position: int) -> bool:
        order = _BYTE_ORDERS.get(buffer[position + 8 : position + 12])
        if order:
            self._use(order)
        return order is not None

    def _use(self, order: str) -> None:
        self._order = order
        self._head = struct.Struct(order + "II")
        self._packet_head = struct.Struct(order + "IIIII")

    def _block(self, kind: int, body: bytes, offset: int, packets: list[Packet]) -> None:
        if kind == _PACKET:
            self._packet(self._packet_head.unpack_from(body), body, offset, packets)
        elif kind == _SECTION:
            self._interfaces = []
        elif kind == _INTERFACE:
            self._interface(body, offset)
        elif kind == _OLD_PACKET:
            number, _, *rest = struct.unpack_from(self._order + "HHIIII", body)
            self._packet((number, *rest), body, offset, packets)
        elif kind == _SIMPLE_PACKET:
            self._simple_packet(body, offset, packets)

    def _packet(self, header: tuple[int, ...], body: bytes, offset: int, packets: list[Packet]) -> None:
        number, high, low, length, original = header
        if number >= len(self._interfaces):
            raise Malformed(f"a pcapng packet names interface {number}, which was not described")
        if length > len(body) - 20 or length > original:
            raise Malformed(f"a pcapng packet claims {length} of {original} bytes in a block of {len(body)}")
        link, _, ticks, shift = self._interfaces[number]
        seconds, fraction = divmod(high << 32 | low, ticks)
        # Whole seconds apart: a float of nanoseconds since 1970 would lose the last digits.
        self._at = at = seconds + shift + fraction / ticks
        end = 20 + length
        if link == LinkType.H4_WITH_DIRECTION and length > 4:
            packets.append((at, body[24], body[23] & 1, body[25:end], offset, number))
            return
        direction = None
        if len(body) > (tail := end + 3 & ~3):
            flags = self._options(body[tail:]).get(_OPTION_FLAGS, b"")
            direction = _DIRECTIONS.get(int.from_bytes(flags, _word(self._order)) & 3)
        self._emit(link, direction, body[20:end], offset, packets, number)

    def _simple_packet(self, body: bytes, offset: int, packets: list[Packet]) -> None:
        if not self._interfaces:
            raise Malformed("a pcapng packet stands before any interface")
        (original,) = struct.unpack_from(self._order + "I", body)
        interface = self._interfaces[0]
        length = min(original, interface.snapshot or original)
        if length > len(body) - 4:
            raise Malformed(f"a pcapng packet claims {length} bytes in a block of {len(body)}")
        # A simple packet has no time of its own: it keeps that of the packet before it.
        self._emit(interface.link, None, body[4 : 4 + length], offset, packets, 0)

    def _emit(
        self, link: int, direction: int | None, data: bytes, offset: int, packets: list[Packet], number: int
    ) -> None:
        if link not in LINKS:
            return
        kind, way, data, adapter = unwrap(link, direction, data)
        packets.append((self._at, kind, way, data, offset, adapter or number))

    def _interface(self, body: bytes, offset: int) -> None:
        link, _, snapshot = struct.unpack_from(self._order + "HHI", body)
        options = self._options(body[8:])
        shift = int.from_bytes(options.get(_OPTION_OFFSET, b""), _word(self._order), signed=True)
        self._interfaces.append(_Interface(link, snapshot, _ticks(options.get(_OPTION_RESOLUTION, b"")), shift))
        if link in LINKS:
            self._readable = True
            return
        unknown = CaptureError(f"pcapng link type {link} is not a Bluetooth link this program reads", offset=offset)
        self._unknown = self._unknown or unknown
        self.problems.append(unknown)

    def _options(self, raw: bytes) -> dict[int, bytes]:
        options: dict[int, bytes] = {}
        position = 0
        while position + 4 <= len(raw):
            code, length = struct.unpack_from(self._order + "HH", raw, position)
            if code == 0:
                break
            options[code] = raw[position + 4 : position + 4 + length]
            position += 4 + (length + 3 & ~3)
        return options

    def _end(self, buffer: bytes, position: int) -> int:
        if position + 12 > len(buffer):
            return -1
        (length,) = struct.unpack_from(self._order + "I", buffer, position + 4)
        end: int = position + length
        if length < 12 or length % 4 or length > _MAX_BLOCK or end > len(buffer):
            return -1
        return end if buffer[end - 4 : end] == buffer[position + 4 : position + 8] else -1

    def _anchor(self) -> bytes:
        return struct.pack(self._order + "I", _PACKET)


def _ticks(resolution: bytes) -> int:
    """Return time stamp units per second from option if_tsresol: a power of ten, or of two if the top bit is set."""
    if not resolution:
        return 1_000_000
    exponent = resolution[0] & 0x7F
    return 1 << exponent if resolution[0] & 0x80 else int(10**exponent)


def _word(order: str) -> Literal["big", "little"]:
    return "big" if order == ">" else "little"
