"""pcap, as tcpdump writes it: 24 bytes of file header, then per packet 16 bytes of header and the packet.

Either byte order, with microseconds or nanoseconds, as the first four bytes say. Record header: seconds, fraction,
included length, original length (32 bits each).
"""

from __future__ import annotations

import struct

from bluewatt.errors import CaptureError, Malformed
from bluewatt.wire.bluetooth.packets import Packet
from bluewatt.wire.containers.framing import AIR_KINDS, LinkType, unwrap
from bluewatt.wire.containers.stream import MAX_PACKET, PacketReader

MAGICS: dict[bytes, tuple[str, float]] = {
    b"\xa1\xb2\xc3\xd4": (">", 1e6),
    b"\xd4\xc3\xb2\xa1": ("<", 1e6),
    b"\xa1\xb2\x3c\x4d": (">", 1e9),
    b"\x4d\x3c\xb2\xa1": ("<", 1e9),
}
"""First four bytes → byte order of the headers and fractions per second."""

FILE_HEADER = 24
"""Length of the file header: magic, version, zone, accuracy, snapshot length, link type."""

LINKS = (LinkType.H4, LinkType.H4_WITH_DIRECTION, LinkType.MONITOR, *AIR_KINDS)
"""Link types this program reads in pcap and pcapng."""


class PcapReader(PacketReader):
    """The reader of pcap records after the file header `header` (24 bytes); `CaptureError` for an unknown link type."""

    def __init__(self, header: bytes) -> None:
        super().__init__(FILE_HEADER)
        self.order, self.fractions = MAGICS[header[:4]]
        # The upper bits of the word hold the length of a frame check sequence, not the link.
        self.link = struct.unpack_from(self.order + "I", header, 20)[0] & 0xFFFF
        self._record = struct.Struct(self.order + "IIII")
        self._seconds = 0
        self.anchor_at = 0 if self.order == ">" else 2
        if self.link not in LINKS:
            raise CaptureError(f"pcap link type {self.link} is not a Bluetooth link this program reads", offset=20)

    def _scan(self, buffer: bytes, position: int, packets: list[Packet]) -> tuple[int, str]:
        unpack, append, size = self._record.unpack_from, packets.append, len(buffer)
        with_direction, fractions, base = self.link == LinkType.H4_WITH_DIRECTION, self.fractions, self.offset
        fault = ""
        while (body := position + 16) <= size:
            seconds, fraction, length, original = unpack(buffer, position)
            if length > original or length > MAX_PACKET or fraction >= fractions:
                self._seconds = self._seconds or seconds
                fault = f"a pcap record claims {length} of {original} bytes"
                break
            end = body + length
            if end > size:
                break
            self._seconds = seconds
            at = seconds + fraction / fractions
            if with_direction and length > 4:
                append((at, buffer[body + 4], buffer[body + 3] & 1, buffer[body + 5 : end], base + position, 0))
            else:
                self._append(packets, at, buffer[body:end], base + position)
            position = end
        return position, fault

    def _append(self, packets: list[Packet], at: float, data: bytes, offset: int) -> None:
        try:
            kind, direction, data, adapter = unwrap(self.link, None, data)
        except Malformed as error:
            self.problems.append(CaptureError(str(error), offset=offset))
        else:
            packets.append((at, kind, direction, data, offset, adapter))

    def _end(self, buffer: bytes, position: int) -> int:
        if position + 16 > len(buffer):
            return -1
        _, fraction, length, original = self._record.unpack_from(buffer, position)
        if length > original or original > MAX_PACKET or fraction >= self.fractions:
            return -1
        end: int = position + 16 + length
        return end if end <= len(buffer) else -1

    def _anchor(self) -> bytes:
        # The upper half of the seconds stays the same for eighteen hours.
        return struct.pack(self.order + "H", self._seconds >> 16) if self._seconds else b""
