"""The control characteristic: what a client reads from it, and the short frames both sides exchange on it.

Not CBOR (protocol page victronconnect-gatt, section 4). The byte layout is confirmed; the meaning of the numbers is
inferred from the lengths of recorded messages, so readers take what is there and default the rest.
"""

from __future__ import annotations

import struct

import msgspec

from bluewatt.errors import Malformed, Unencodable
from bluewatt.tables.gatt import ControlOpcode

SMALLEST_CHUNK = 20
"""Payload of an ATT packet at the smallest MTU; a header without chunk size, or with a smaller one, means this."""

_HEADER = struct.Struct("<BHBBH")
_HEADER_WITHOUT_CHUNK = struct.Struct("<BHBB")


class Header(msgspec.Struct, frozen=True, gc=False):
    """The description a device gives of itself when the control characteristic is read (section 4.1)."""

    flags: int = 0
    """Flags; one was reported to mean that the path calls exist (single source)."""
    protocol_version: int = 1
    slots: int = 1
    """The number of messages the device takes before the client must wait."""
    max_message: int = 80
    """The length of the longest message the device takes, in bytes."""
    chunk_size: int = SMALLEST_CHUNK
    """The length of one write or notification, in bytes."""


class Limits(msgspec.Struct, frozen=True, gc=False):
    """The limits of the client: slots, and bytes in one message (None in the short form some clients send)."""

    slots: int
    max_message: int | None = None


class Grant(msgspec.Struct, frozen=True, gc=False):
    """Permission for the other side to send that many more messages."""

    messages: int


class Drop(msgspec.Struct, frozen=True, gc=False):
    """The order to forget the message received in part so far (single source)."""


class Failure(msgspec.Struct, frozen=True, gc=False):
    """The report that the device could not use what it received; only code 3 was seen."""

    code: int


class UnknownControl(msgspec.Struct, frozen=True, gc=False):
    """Any other frame, kept as bytes; clients were seen to write a single 01."""

    raw: bytes


ControlFrame = Limits | Grant | Drop | Failure | UnknownControl
"""One frame on the control characteristic."""


def parse_header(data: bytes) -> Header:
    """Return the header read from the control characteristic.

    Raises `Malformed` below five bytes; an unpaired link was seen to read an empty value (section 3).
    """
    if len(data) < _HEADER_WITHOUT_CHUNK.size:
        raise Malformed(f"a control header of {len(data)} bytes: is the link paired?")
    if len(data) < _HEADER.size:
        return Header(*_HEADER_WITHOUT_CHUNK.unpack_from(data))
    header = Header(*_HEADER.unpack_from(data))
    return header if header.chunk_size >= SMALLEST_CHUNK else msgspec.structs.replace(header, chunk_size=SMALLEST_CHUNK)


def build_header(header: Header) -> bytes:
    """Return the bytes a device answers the read with; raises `Unencodable`."""
    try:
        return _HEADER.pack(*msgspec.structs.astuple(header))
    except struct.error as error:
        raise Unencodable(f"{header!r} cannot be written: {error}") from error


def parse_control(data: bytes) -> ControlFrame:
    """Return any frame; what nobody has described is kept as bytes, so nothing is raised."""
    opcode, size = data[0] if data else None, len(data)
    if opcode == ControlOpcode.GRANT and size > 1:
        return Grant(data[1])
    if opcode == ControlOpcode.LIMITS and size > 1:
        return Limits(data[1], data[2] if size > 2 else None)
    if opcode == ControlOpcode.FAILURE and size > 1:
        return Failure(int.from_bytes(data[1:3], "little"))
    if opcode == ControlOpcode.DROP:
        return Drop()
    return UnknownControl(bytes(data))


def build_control(frame: ControlFrame) -> bytes:
    """Return the bytes of a frame; raises `Unencodable`."""
    try:
        return _build(frame)
    except (ValueError, OverflowError) as error:
        raise Unencodable(f"{frame!r} cannot be written: {error}") from error


def _build(frame: ControlFrame) -> bytes:
    match frame:
        case Grant(messages):
            return bytes((ControlOpcode.GRANT, messages))
        case Limits(slots, None):
            return bytes((ControlOpcode.LIMITS, slots))
        case Limits(slots, max_message):
            return bytes((ControlOpcode.LIMITS, slots, max_message or 0))
        case Failure(code):
            return bytes((ControlOpcode.FAILURE,)) + code.to_bytes(2, "little")
        case Drop():
            return bytes((ControlOpcode.DROP,))
        case UnknownControl(raw):
            return raw
