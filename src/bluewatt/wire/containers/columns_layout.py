"""The layout of the records of a capture in its bytes, for reading them as numpy columns (needs the `batch` extra).

A structured type lays the common shape over the buffer: a record header, then an event with one legacy report of flags
and Victron's manufacturer data. Only finding where the records begin is a loop.
"""

from __future__ import annotations

import struct
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bluewatt.wire.containers.btsnoop import EPOCH, BtsnoopReader
from bluewatt.wire.containers.framing import LinkType
from bluewatt.wire.containers.pcap import PcapReader
from bluewatt.wire.containers.stream import MAX_PACKET, PacketReader

WIDTH = 31
"""Width of the payload matrix in bytes; longer payloads are cut (no record is longer)."""

Indices = NDArray[np.int64]

_EVENT_FIELDS: list[tuple[Any, ...]] = [
    ("kind", "u1"),
    ("code", "u1"),
    ("parameters", "u1"),
    ("subevent", "u1"),
    ("reports", "u1"),
    ("types", "V2"),
    ("address_low", "<u4"),
    ("address_high", "<u2"),
    ("data_length", "u1"),
    ("flags_head", ">u2"),
    ("flags", "u1"),
    ("structure", "u1"),
    ("ad_type", "u1"),
    ("company", "<u2"),
    ("payload", "u1", (WIDTH,)),
]
"""An H4 event with one legacy report, from its packet indicator on."""


class RecordShape(NamedTuple):
    """The layout of the records of one capture, and what the loop over them needs."""

    layout: np.dtype[np.void]
    header: int
    """Bytes of the record header."""
    wrapping: int
    """Bytes between the record header and the packet indicator."""
    word: np.dtype[np.uint32]
    """A number of the header, in the byte order of the file."""
    length_at: int
    """Where in the header the included length stands."""
    original_at: int
    """Where the original length stands."""
    fraction_at: int
    """Where the fraction of the second stands, if there is one."""
    fractions: float
    """Fractions of a second, 0 if the time stamp is one number."""

    def seconds(self, rows: NDArray[np.void]) -> NDArray[np.float64]:
        """Return the time stamps of rows, in POSIX seconds, by the arithmetic of the packet readers."""
        if not self.fractions:
            return np.asarray((rows["stamp"] - EPOCH) / 1e6)
        return np.asarray(rows["seconds"] + rows["fraction"] / self.fractions)


def shape_of(reader: PacketReader) -> RecordShape | None:
    """Return the shape of a capture whose records can be gathered; None if they must be read one by one."""
    if isinstance(reader, BtsnoopReader) and reader.link == LinkType.BTSNOOP_H4:
        header = [("original", ">u4"), ("length", ">u4"), ("mark", "V8"), ("stamp", ">i8")]
        return RecordShape(np.dtype(header + _EVENT_FIELDS), 24, 0, np.dtype(">u4"), 4, 0, 0, 0.0)
    if isinstance(reader, PcapReader) and reader.link in (LinkType.H4, LinkType.H4_WITH_DIRECTION):
        wrapping = 4 if reader.link == LinkType.H4_WITH_DIRECTION else 0
        header = [(name, reader.order + "u4") for name in ("seconds", "fraction", "length", "original")]
        layout = np.dtype([*header, ("direction", f"V{wrapping}"), *_EVENT_FIELDS])
        return RecordShape(layout, 16, wrapping, np.dtype(reader.order + "u4"), 8, 12, 4, reader.fractions)
    return None


def find_records(buffer: bytes, shape: RecordShape) -> tuple[Indices, Indices, bool]:
    """Return where the whole records begin and end, and False if an impossible header follows them."""
    begins, position = _walked(buffer, shape)
    ends = np.append(begins[1:], position)[: len(begins)]
    length = ends - begins - shape.header
    sound = (length <= gather(buffer, begins + shape.original_at, shape.word)) & (length <= MAX_PACKET)
    if shape.fractions:
        sound &= gather(buffer, begins + shape.fraction_at, shape.word) < shape.fractions
    good = len(sound) if sound.all() else int(np.argmin(sound))
    whole = good - 1 if good == len(sound) and good and position > len(buffer) else good
    return begins[:whole], ends[:whole], good == len(sound)


def _walked(buffer: bytes, shape: RecordShape) -> tuple[Indices, int]:
    """Return where the whole headers begin, and where the next one would.

    Nearly all captures have short packets only: their lengths are single bytes, which are read three times as fast.
    Whether they were short is checked afterwards, for all at once.
    """
    header, low = shape.header, shape.length_at + (shape.word.str[0] == ">") * 3
    starts = [0]
    append, position = starts.append, 0
    try:
        while True:
            position += header + buffer[position + low]
            append(position)
    except IndexError:
        found = np.array(starts, np.int64)
    begins = found[: np.searchsorted(found, len(buffer) - header, "right")]
    lengths = np.diff(found[: len(begins) + 1]) - header
    if (gather(buffer, begins + shape.length_at, shape.word) != lengths).any():
        return _walked_carefully(buffer, shape)
    return begins, int(found[len(begins)])


def _walked_carefully(buffer: bytes, shape: RecordShape) -> tuple[Indices, int]:
    """Return the same as `_walked` for packets of any length."""
    starts: list[int] = []
    append, unpack = starts.append, struct.Struct(shape.word.str[0] + "I").unpack_from
    header, length_at = shape.header, shape.length_at
    position, last = 0, len(buffer) - header
    while position <= last:
        append(position)
        position += header + unpack(buffer, position + length_at)[0]
    return np.array(starts, np.int64), position


def gather(buffer: bytes, starts: Indices, layout: np.dtype[Any]) -> NDArray[Any]:
    """Gather what stands in the buffer at `starts`, laid out as `layout`."""
    size = layout.itemsize
    missing = int(starts.max(initial=0)) + size - len(buffer)
    padded = buffer + bytes(missing) if missing > 0 else buffer
    # Gathered as opaque bytes and named afterwards: numpy copies a structured row field by field, 25 times slower.
    opaque = np.ndarray((len(padded) - size + 1,), np.dtype((np.void, size)), padded, strides=(1,))
    return opaque[starts].view(layout)
