"""btsnoop: 16 bytes of file header, then per packet 24 bytes of header and the packet, all big-endian.

Record header: original length, included length, flags, cumulative drops (32 bits each), microseconds since midnight
of 1 January of the year 0 (64 bits). Written by Android, BlueZ (btmon) and bumble; the layout follows RFC 1761.
"""

from __future__ import annotations

import struct

from bluewatt.errors import CaptureError, Malformed
from bluewatt.wire.bluetooth.packets import Packet
from bluewatt.wire.containers.framing import LinkType, unwrap_btsnoop
from bluewatt.wire.containers.stream import MAX_PACKET, PacketReader

MAGIC = b"btsnoop\0"
"""The first eight bytes of a btsnoop file."""

FILE_HEADER = 16
"""Length of the file header: magic, version (1), datalink code."""

RECORD = struct.Struct(">IIIIq")
"""One record header: original length, included length, flags, drops, time stamp."""

EPOCH = 0x00DCDDB30F2F8000
"""The time stamp of 1970-01-01, by the count of years BlueZ, Wireshark and bumble share."""

_LINKS = (LinkType.BTSNOOP_H1, LinkType.BTSNOOP_H4, LinkType.BTSNOOP_MONITOR)


class BtsnoopReader(PacketReader):
    """The reader of btsnoop records after the file header `header` (16 bytes); `CaptureError` for unknown datalinks."""

    anchor_at = 16

    def __init__(self, header: bytes) -> None:
        super().__init__(FILE_HEADER)
        self.link = int.from_bytes(header[12:16], "big")
        self._stamp = 0
        if self.link not in _LINKS:
            raise CaptureError(f"btsnoop datalink {self.link} is not a Bluetooth link this program reads", offset=12)

    def _scan(self, buffer: bytes, position: int, packets: list[Packet]) -> tuple[int, str]:
        unpack, append, size = RECORD.unpack_from, packets.append, len(buffer)
        plain_h4, good, base = self.link == LinkType.BTSNOOP_H4, self._stamp, self.offset
        fault = ""
        while (body := position + 24) <= size:
            original, length, flags, _, stamp = unpack(buffer, position)
            if length > original or length > MAX_PACKET:
                good = good or stamp
                fault = f"a btsnoop record claims {length} of {original} bytes"
                break
            end = body + length
            if end > size:
                break
            good = stamp
            at = (stamp - EPOCH) / 1e6
            if plain_h4 and length:
                append((at, buffer[body], flags & 1, buffer[body + 1 : end], base + position, 0))
            else:
                self._append(packets, (at, flags, buffer[body:end], base + position))
            position = end
        self._stamp = good
        return position, fault

    def _append(self, packets: list[Packet], record: tuple[float, int, bytes, int]) -> None:
        at, flags, data, offset = record
        try:
            kind, direction, data, adapter = unwrap_btsnoop(self.link, flags, data)
        except Malformed as error:
            self.problems.append(CaptureError(str(error), offset=offset))
        else:
            packets.append((at, kind, direction, data, offset, adapter))

    def _end(self, buffer: bytes, position: int) -> int:
        if position + 24 > len(buffer):
            return -1
        original, length, _, _, _ = RECORD.unpack_from(buffer, position)
        if length > original or length > MAX_PACKET or original > MAX_PACKET:
            return -1
        end = position + 24 + length
        return end if end <= len(buffer) else -1

    def _anchor(self) -> bytes:
        # The three high bytes of a time stamp stay the same for twelve days.
        return self._stamp.to_bytes(8, "big", signed=True)[:3] if self._stamp else b""
