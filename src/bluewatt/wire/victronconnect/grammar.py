"""The grammar of VictronConnect's messages: read from bytes, and built back to the same bytes.

A message is an opcode and its parameters, each a top-level CBOR item; messages follow each other without length or
checksum (protocol page victronconnect-gatt, section 5). The classes themselves stand in `vreg`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import msgspec

from bluewatt.errors import Malformed, Unencodable
from bluewatt.tables.gatt import Opcode
from bluewatt.wire.victronconnect import cbor
from bluewatt.wire.victronconnect.messages import (
    DeviceList,
    GetDevices,
    GetPathList,
    GetPathValues,
    GetValues,
    GetValuesAlternate,
    Message,
    NewPath,
    PathList,
    PathValue,
    PathValueResponse,
    Response,
    SetPathValues,
    SetValues,
    SetValuesAlternate,
    Subscribe,
    Unknown,
    Unsubscribe,
    ValueMessage,
    ValueResponse,
)

__all__ = [
    "DeviceList",
    "GetDevices",
    "GetPathList",
    "GetPathValues",
    "GetValues",
    "GetValuesAlternate",
    "Message",
    "NewPath",
    "PathList",
    "PathValue",
    "PathValueResponse",
    "Response",
    "SetPathValues",
    "SetValues",
    "SetValuesAlternate",
    "Subscribe",
    "Unknown",
    "Unsubscribe",
    "ValueMessage",
    "ValueResponse",
    "build_message",
    "parse_messages",
    "read_messages",
]


def parse_messages(data: bytes) -> list[Message]:
    """All messages in the bytes; raises `Malformed`, whose `good` holds those before the damage, unless all parse."""
    messages, fault = read_messages(data)
    if fault is not None:
        raise Malformed(fault, good=messages)
    return messages


def read_messages(data: bytes) -> tuple[list[Message], str | None]:
    """The messages up to the first that does not parse, and what is wrong with that one (None: nothing)."""
    messages: list[Message] = []
    data = bytes(data)
    at, size = 0, len(data)
    try:
        while at < size:
            layout = _BY_OPCODE.get(data[at])
            message, at = _read(data, at + 1, layout) if layout else _read_unknown(data, at)
            messages.append(message)
    except Malformed as error:
        return messages, f"{error} (message {len(messages) + 1}, from offset {at})"
    except IndexError:
        return messages, f"bytes end inside message {len(messages) + 1}, which starts at offset {at}"
    return messages, None


def ends_inside(data: bytes) -> bool:
    """Whether bytes are the beginning of messages: whole ones or none, then a part of one that more bytes complete."""
    at = 0
    try:
        while at < len(data):
            if data[at] not in _BY_OPCODE:
                return False
            _, at = _read(data, at + 1, _BY_OPCODE[data[at]])
    except (IndexError, cbor.CutShort):
        return True
    except Malformed:
        return False
    return False


def build_message(message: Message) -> bytes:
    """The bytes of a message: shortest integers, arrays in its own dialect; raises `Unencodable`."""
    if isinstance(message, Unknown):
        return bytes(message.raw)
    layout = _BY_OPCODE[message.opcode]
    fields = msgspec.structs.astuple(message)
    try:
        body = b"".join(item.write(field) for item, field in zip(layout.items, fields, strict=False))
        return cbor.write_int(message.opcode) + body + _write_array(layout, fields[len(layout.items) :])
    except (TypeError, ValueError) as error:
        raise Unencodable(f"{message!r} cannot be written: {error}") from error


class _Item(NamedTuple):
    """How one parameter is read and written."""

    read: Callable[[bytes, int], tuple[Any, int]]
    write: Callable[[Any], bytes]


class _Array(NamedTuple):
    """How the array at the end of a message is read and written: its items, and what they mean together."""

    read: Callable[[bytes, int], tuple[Sequence[Any], bool, int]]
    items: Callable[[Any], list[bytes]]
    may_be_absent: bool = False


class _Layout(NamedTuple):
    """A message class, its parameters in order, and the array that follows them."""

    build: Callable[..., Message]
    items: tuple[_Item, ...] = ()
    array: _Array | None = None


def _read(data: bytes, at: int, layout: _Layout) -> tuple[Message, int]:
    build, items, array = layout
    fields = []
    for item in items:
        field, at = item[0](data, at)
        fields.append(field)
    if array is None or (array.may_be_absent and not cbor.is_array(data, at)):
        return build(*fields), at
    contents, indefinite, at = array.read(data, at)
    return build(*fields, contents, indefinite), at


def _read_unknown(data: bytes, start: int) -> tuple[Message, int]:
    opcode, at = cbor.read_int(data, start)
    if opcode in _BY_OPCODE:  # an opcode in a longer form than needed
        return _read(data, at, _BY_OPCODE[opcode])
    while at < len(data):
        _, at = cbor.read_raw(data, at)
    return Unknown(opcode, data[start:]), at


def _write_array(layout: _Layout, fields: tuple[Any, ...]) -> bytes:
    if layout.array is None or fields[0] is None:
        return b""
    contents, indefinite = fields
    return cbor.write_array(layout.array.items(contents), indefinite=indefinite)


def _read_numbers(data: bytes, at: int) -> tuple[tuple[int, ...], bool, int]:
    numbers, indefinite, at = cbor.read_array(data, at, cbor.read_uint)
    return tuple(numbers), indefinite, at


def _read_devices(data: bytes, at: int) -> tuple[tuple[tuple[int, int], ...], bool, int]:
    numbers, indefinite, at = _read_numbers(data, at)
    if len(numbers) % 2:
        raise Malformed("an instance without its kind")
    return tuple(zip(numbers[::2], numbers[1::2], strict=True)), indefinite, at


def _reader_of_writes(
    read_content: Callable[[bytes, int], tuple[bytes, int]],
) -> Callable[[bytes, int], tuple[tuple[tuple[int, bytes], ...], bool, int]]:
    def read(data: bytes, at: int) -> tuple[tuple[tuple[int, bytes], ...], bool, int]:
        flat: list[Any] = []

        # The array head counts items, not pairs (section 5.1), so a number and a content take turns.
        def read_next(data: bytes, at: int) -> tuple[int | bytes, int]:
            item, at = (read_content if len(flat) % 2 else cbor.read_uint)(data, at)
            flat.append(item)
            return item, at

        _, indefinite, at = cbor.read_array(data, at, read_next)
        if len(flat) % 2:
            raise Malformed("a register without its content")
        return tuple(zip(flat[::2], flat[1::2], strict=True)), indefinite, at

    return read


def _numbers(numbers: Sequence[int]) -> list[bytes]:
    return [cbor.write_uint(number) for number in numbers]


def _devices(pairs: Sequence[tuple[int, int]]) -> list[bytes]:
    return [cbor.write_uint(number) for pair in pairs for number in pair]


def _writes(writes: Sequence[tuple[int, bytes]]) -> list[bytes]:
    return [part for register, value in writes for part in (cbor.write_uint(register), cbor.write_bytes(value))]


def _path_writes(writes: Sequence[tuple[int, bytes]]) -> list[bytes]:
    return [part for index, raw in writes for part in (cbor.write_uint(index), bytes(raw))]


_UINT = _Item(cbor.read_uint, cbor.write_uint)
_INT = _Item(cbor.read_int, cbor.write_int)
_BYTES = _Item(cbor.read_bytes, cbor.write_bytes)
_TEXT = _Item(cbor.read_text, cbor.write_text)
_RAW = _Item(cbor.read_raw, bytes)
_NUMBERS = _Array(_read_numbers, _numbers)
_WRITES = _Array(_reader_of_writes(cbor.read_bytes), _writes)

_BY_OPCODE: dict[int, _Layout] = {
    Opcode.GET_DEVICES: _Layout(GetDevices),
    Opcode.DEVICE_LIST: _Layout(DeviceList, array=_Array(_read_devices, _devices)),
    Opcode.SUBSCRIBE: _Layout(Subscribe, (_UINT,), _NUMBERS._replace(may_be_absent=True)),
    Opcode.UNSUBSCRIBE: _Layout(Unsubscribe, (_UINT,)),
    Opcode.GET_VALUES: _Layout(GetValues, (_UINT,), _NUMBERS),
    Opcode.SET_VALUES: _Layout(SetValues, (_UINT,), _WRITES),
    Opcode.GET_VALUES_ALTERNATE: _Layout(GetValuesAlternate, (_UINT,), _NUMBERS),
    Opcode.SET_VALUES_ALTERNATE: _Layout(SetValuesAlternate, (_UINT,), _WRITES),
    Opcode.RESPONSE: _Layout(Response, (_UINT, _INT, _UINT)),
    Opcode.VALUE: _Layout(ValueMessage, (_UINT, _UINT, _BYTES)),
    Opcode.VALUE_RESPONSE: _Layout(ValueResponse, (_UINT, _UINT, _UINT)),
    Opcode.GET_PATH_LIST: _Layout(GetPathList, (_UINT,)),
    Opcode.GET_PATH_VALUES: _Layout(GetPathValues, (_UINT,), _NUMBERS),
    Opcode.SET_PATH_VALUES: _Layout(SetPathValues, (_UINT,), _Array(_reader_of_writes(cbor.read_raw), _path_writes)),
    Opcode.PATH_LIST: _Layout(PathList, (_UINT, _BYTES)),
    Opcode.NEW_PATH: _Layout(NewPath, (_UINT, _UINT, _TEXT)),
    Opcode.PATH_VALUE: _Layout(PathValue, (_UINT, _UINT, _RAW)),
    Opcode.PATH_VALUE_RESPONSE: _Layout(PathValueResponse, (_UINT, _UINT, _UINT)),
}
"""The grammar of section 5: one row per opcode, read both ways."""
