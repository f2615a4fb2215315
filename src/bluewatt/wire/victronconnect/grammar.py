"""The grammar of VictronConnect's messages: read from bytes, and built back to the same bytes.

A message is an opcode and its parameters, each a top-level CBOR item; messages follow each other without length or
checksum (protocol page victronconnect-gatt, section 5). The layout of each message stands at its class, in `messages`.
"""

from __future__ import annotations

from typing import Any

import msgspec

from bluewatt.errors import Malformed, Unencodable
from bluewatt.wire.victronconnect import cbor
from bluewatt.wire.victronconnect.messages import LAYOUTS, Message, MessageLayout, Unknown


def parse_messages(data: bytes) -> list[Message]:
    """Return the messages in the bytes; raises `Malformed`, whose `good` holds those before the damage."""
    messages, fault = read_messages(data)
    if fault is not None:
        raise Malformed(fault, good=messages)
    return messages


def read_messages(data: bytes) -> tuple[list[Message], str | None]:
    """Return the messages up to the first that does not parse, and what is wrong with it; None if all parse."""
    messages: list[Message] = []
    data = bytes(data)
    at, size = 0, len(data)
    try:
        while at < size:
            layout = LAYOUTS.get(data[at])
            message, at = _read(data, at + 1, layout) if layout else _read_unknown(data, at)
            messages.append(message)
    except Malformed as error:
        return messages, f"{error} (message {len(messages) + 1}, from offset {at})"
    except IndexError:
        return messages, f"bytes end inside message {len(messages) + 1}, which starts at offset {at}"
    return messages, None


def ends_inside(data: bytes) -> bool:
    """Return whether the last message is incomplete: more bytes may complete it. False if any message is damaged."""
    at = 0
    try:
        while at < len(data):
            if data[at] not in LAYOUTS:
                return False
            _, at = _read(data, at + 1, LAYOUTS[data[at]])
    except (IndexError, cbor.CutShort):
        return True
    except Malformed:
        return False
    return False


def build_message(message: Message) -> bytes:
    """Return the bytes of a message: shortest integers, arrays in its own dialect; raises `Unencodable`."""
    if isinstance(message, Unknown):
        return bytes(message.raw)
    layout = LAYOUTS[message.opcode]
    fields = msgspec.structs.astuple(message)
    try:
        body = b"".join(parameter.write(field) for parameter, field in zip(layout.parameters, fields, strict=False))
        return cbor.write_int(message.opcode) + body + _write_array(layout, fields[len(layout.parameters) :])
    except (TypeError, ValueError) as error:
        raise Unencodable(f"{message!r} cannot be written: {error}") from error


def _read(data: bytes, at: int, layout: MessageLayout) -> tuple[Message, int]:
    build, readers, _, array = layout
    fields = []
    for read in readers:
        field, at = read(data, at)
        fields.append(field)
    if array is None or (array.optional and not cbor.is_array(data, at)):
        return build(*fields), at
    contents, indefinite, at = array.read(data, at)
    return build(*fields, contents, indefinite), at


def _read_unknown(data: bytes, start: int) -> tuple[Message, int]:
    opcode, at = cbor.read_int(data, start)
    if opcode in LAYOUTS:  # an opcode in a longer form than needed
        return _read(data, at, LAYOUTS[opcode])
    while at < len(data):
        _, at = cbor.read_raw(data, at)
    return Unknown(opcode, data[start:]), at


def _write_array(layout: MessageLayout, fields: tuple[Any, ...]) -> bytes:
    if layout.array is None or fields[0] is None:
        return b""
    contents, indefinite = fields
    return cbor.write_array(layout.array.items(contents), indefinite=indefinite)
