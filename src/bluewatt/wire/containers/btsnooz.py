"""The Bluetooth log in the text of an Android bug report: base64 of a small header and zlib data, between two marks.

Header: a version (1 or 2) and the time of the last packet, microseconds since 1970 (64 bits, little-endian; the field's
published name says milliseconds, its use microseconds). Compressed behind it, per packet, little-endian: its length,
in version 2 also its length before it was cut, the time since the packet before it, a type, and the packet without its
packet indicator; the length counts one byte for that. Facts as the tools of the Android project use them.
"""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Iterable, Iterator

from bluewatt.errors import CaptureError
from bluewatt.wire.bluetooth.packets import FROM_CONTROLLER, TO_CONTROLLER, Packet, PacketKind

BEGIN, END = "--- BEGIN:BTSNOOP_LOG_SUMMARY", "--- END:BTSNOOP_LOG_SUMMARY"
"""The lines before and behind the base64 text."""

LONGEST_TEXT = 64 << 20
LONGEST_LOG = 64 << 20
"""Most bytes of base64 and of packets; a phone keeps a quarter of a megabyte."""

_PIECE = 256  # unpacked at once: what precedes damage is kept, and endless expansion is noticed early
_HEADER = struct.Struct("<BQ")
_RECORDS = {1: struct.Struct("<HIB"), 2: struct.Struct("<HHIB")}
_PER_SECOND = 1_000_000
_MILLISECONDS_BELOW = 1 << 46
"""The lowest time in microseconds: a lower one would be before 1973, so it is in milliseconds."""

_TYPES: dict[int, tuple[PacketKind, int]] = {
    0x10: (PacketKind.EVENT, FROM_CONTROLLER),
    0x11: (PacketKind.ACL, FROM_CONTROLLER),
    0x12: (PacketKind.SYNCHRONOUS, FROM_CONTROLLER),
    0x17: (PacketKind.ISOCHRONOUS, FROM_CONTROLLER),
    0x20: (PacketKind.COMMAND, TO_CONTROLLER),
    0x21: (PacketKind.ACL, TO_CONTROLLER),
    0x22: (PacketKind.SYNCHRONOUS, TO_CONTROLLER),
    0x2D: (PacketKind.ISOCHRONOUS, TO_CONTROLLER),
}


def find_logs(lines: Iterable[str]) -> Iterator[str]:
    """Yield the base64 text of every log in the lines of a bug report; raises `CaptureError` for one that is too long.

    A log whose end is missing (the report was cut) is given as far as it goes.
    """
    parts: list[str] | None = None
    size = 0
    for line in lines:
        if BEGIN in line:
            parts, size = [], 0
        elif parts is not None and END in line:
            yield "".join(parts)
            parts = None
        elif parts is not None:
            parts.append(line.strip())
            size += len(line)
            if size > LONGEST_TEXT:
                raise CaptureError(f"a Bluetooth log of more than {LONGEST_TEXT >> 20} MiB in a bug report")
    if parts:
        yield "".join(parts)


def read_log(text: str) -> tuple[list[Packet], CaptureError | None]:
    """Return the packets of one log, and the error if it is damaged or cut; offsets are those of the unpacked log.

    Raises `CaptureError` for what is no log at all.
    """
    try:
        raw = base64.b64decode(text[: len(text) // 4 * 4])
    except ValueError as error:
        raise CaptureError(f"the Bluetooth log of the bug report is damaged: {error}") from None
    if len(raw) < _HEADER.size or raw[0] not in _RECORDS:
        version = f"version {raw[0]}" if raw else "no bytes"
        raise CaptureError(f"the Bluetooth log of the bug report is of an unknown kind ({version})")
    version, last = _HEADER.unpack_from(raw)
    log, damage = _expand(raw[_HEADER.size :])
    records, cut = _records(log, _RECORDS[version])
    return _timed(records, last), damage or cut


def _expand(data: bytes) -> tuple[bytes, CaptureError | None]:
    expander = zlib.decompressobj()
    log = bytearray()
    try:
        for at in range(0, len(data), _PIECE):
            log += expander.decompress(data[at : at + _PIECE])
            if len(log) > LONGEST_LOG:
                raise CaptureError("the Bluetooth log of the bug report expands beyond what any phone writes")
    except zlib.error:
        return bytes(log), CaptureError("the Bluetooth log of the bug report is damaged", offset=len(log))
    cut = CaptureError("the Bluetooth log of the bug report is cut", offset=len(log))
    return bytes(log), None if expander.eof else cut


def _records(log: bytes, layout: struct.Struct) -> tuple[list[tuple[int, int, bytes, int]], CaptureError | None]:
    """Yield (time since the record before, type, content, offset) of every record."""
    found: list[tuple[int, int, bytes, int]] = []
    position = 0
    while position + layout.size <= len(log):
        length, *_, since, kind = layout.unpack_from(log, position)
        end = position + layout.size + length - 1
        if not length or end > len(log):
            return found, CaptureError(f"a packet of the Bluetooth log claims {length} bytes", offset=position)
        found.append((since, kind, log[position + layout.size : end], position))
        position = end
    left = len(log) - position
    return found, CaptureError(f"{left} bytes too many in the Bluetooth log", offset=position) if left else None


def _timed(records: list[tuple[int, int, bytes, int]], last: int) -> list[Packet]:
    """Return packets with their times, counted back from the last one."""
    per_second = 1000 if last < _MILLISECONDS_BELOW else _PER_SECOND
    at = last - sum(since for since, _, _, _ in records)
    packets: list[Packet] = []
    for since, code, data, offset in records:
        at += since
        kind, direction = _TYPES.get(code, (PacketKind.NOTE, None))
        packets.append((at / per_second, kind, direction, data, offset, 0))
    return packets
