"""The values of registers: raw bytes and back, by the row of the register table.

Integers take their width from the data, since the same register is wider on some interfaces and firmware (u32 in place
of u16 for the yields of VE.Can chargers). "Not available" is decided on the raw pattern, before sign and scale.
Sources: protocol page victronconnect-gatt, section 12; the register table.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from typing import Any, Final

from bluewatt.errors import Malformed, Unencodable
from bluewatt.tables.registers import Register, code_type, flags_type, groups_type
from bluewatt.wire.registers.compounds import decode_compound, encode_compound, text_of
from bluewatt.wire.registers.scalars import code_number, flags_number, groups_number, raw_pattern, scaled_number

DecodedValue = Any
"""None, int, float, str, bytes, Code, Flags, TwoBitFields, Version, or a dict of these for a compound register."""

WIDTHS: Final = frozenset({1, 2, 4, 8})
"""Bytes an integer may have on the wire."""


def decode_value(register: Register, data: bytes) -> DecodedValue:
    """Return the value of a register's payload, in the unit of its row; None for "not available".

    Temperatures are in °C, named numbers are `Code`, masks `Flags`, two-bit groups `TwoBitFields`, texts str, records
    dicts, and what has no number in it bytes. Malformed for a length the type cannot have.
    """
    return _READERS[register.type](register, data)


def encode_value(register: Register, value: DecodedValue, *, width: int | None = None) -> bytes:
    """Return the payload of a value; Unencodable when the register cannot hold it.

    Named numbers may be given by their key, masks as a list of keys. A device wants the length it uses itself:
    `width` is the length in bytes if that differs from the row (texts are padded with zeros to it).
    """
    return _WRITERS[register.type](register, value, width)


def decode_samples(register: Register, data: bytes) -> list[DecodedValue]:
    """Return the stored samples of a trend of this register, in the order sent: newest first (register 0xEC5B)."""
    size = register.size
    if not size or len(data) % size:
        raise Malformed(f"{_label(register)}: {len(data)} bytes are no samples of {register.type}")
    return [decode_value(register, data[at : at + size]) for at in range(0, len(data), size)]


def plain(value: DecodedValue) -> Any:
    """Return a value for JSON: keys in place of named numbers, hex digits in place of bytes."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, bytes):
        return value.hex()
    return value.as_json() if hasattr(value, "as_json") else value


def _label(register: Register) -> str:
    return f"{register.id_text} {register.key}"


# reading


def _number(register: Register, data: bytes) -> int | None:
    """Return the raw number of an integer payload of any width; None for "not available"."""
    size = len(data)
    if size not in WIDTHS:
        raise Malformed(f"{_label(register)}: {size} bytes are no {register.type}")
    raw = int.from_bytes(data, "little")
    absent = register.not_available
    if absent is not None and raw == (absent if size == register.size else _blank(size, signed=register.signed)):
        return None
    return int.from_bytes(data, "little", signed=True) if register.signed else raw


def _blank(size: int, *, signed: bool) -> int:
    """Return the pattern of "not available" at a width: all ones, or the largest positive number."""
    return (1 << 8 * size - signed) - 1


def _read_number(register: Register, data: bytes) -> float | int | None:
    number = _number(register, data)
    return None if number is None else register.scale.value(number)


def _read_code(register: Register, data: bytes) -> DecodedValue:
    number = _number(register, data)
    return None if number is None else code_type(register.enum)(number)


def _read_flags(register: Register, data: bytes) -> DecodedValue:
    number = _number(register, data)
    return None if number is None else flags_type(register.enum)(number)


def _read_groups(register: Register, data: bytes) -> DecodedValue:
    number = _number(register, data)
    return None if number is None else groups_type(register.enum)(number)


def _read_float(register: Register, data: bytes) -> float | None:
    if len(data) != register.size:
        raise Malformed(f"{_label(register)}: {len(data)} bytes are no {register.type}")
    number = float(struct.unpack("<f", data)[0])
    return None if math.isnan(number) else number


def _read_text(register: Register, data: bytes) -> str:
    return text_of(data)


def _read_bytes(register: Register, data: bytes) -> bytes:
    return bytes(data)


def _read_record(register: Register, data: bytes) -> dict[str, DecodedValue]:
    return decode_compound(register.layout, data)


def _read_void(register: Register, data: bytes) -> None:
    if data:
        raise Malformed(f"{_label(register)}: a command without payload came with {len(data)} bytes")


_READERS: dict[str, Callable[[Register, bytes], DecodedValue]] = {
    **dict.fromkeys(("u8", "u16", "u32", "i8", "i16", "i32"), _read_number),
    **dict.fromkeys(("enum8", "enum16", "enum_i16"), _read_code),
    **dict.fromkeys(("bits8", "bits16", "bits32"), _read_flags),
    **dict.fromkeys(("groups8", "groups16", "groups32"), _read_groups),
    "f32": _read_float,
    "str": _read_text,
    "bytes": _read_bytes,
    "record": _read_record,
    "void": _read_void,
}

# writing


def _packed(register: Register, number: int | None, width: int | None) -> bytes:
    """Return an integer payload of the row's width or of `width` bytes."""
    size = width or register.size or 0
    if size not in WIDTHS:
        raise Unencodable(f"{_label(register)}: an integer cannot have {size} bytes")
    absent = _pattern_of_absent(register, size)
    if number is None:
        if absent is None:
            raise Unencodable(f"{_label(register)} cannot be absent")
        return absent.to_bytes(size, "little")
    raw = raw_pattern(number, 8 * size, signed=register.signed, what=_label(register))
    if raw == absent:
        raise Unencodable(f"{_label(register)}: raw {raw:#x} would read as not available")
    return raw.to_bytes(size, "little")


def _pattern_of_absent(register: Register, size: int) -> int | None:
    if register.not_available is None or size == register.size:
        return register.not_available
    return _blank(size, signed=register.signed)


def _write_number(register: Register, value: DecodedValue, width: int | None) -> bytes:
    number = None if value is None else scaled_number(value, register.scale, _label(register))
    return _packed(register, number, width)


def _write_code(register: Register, value: DecodedValue, width: int | None) -> bytes:
    number = None if value is None else code_number(value, code_type(register.enum), _label(register))
    return _packed(register, number, width)


def _write_flags(register: Register, value: DecodedValue, width: int | None) -> bytes:
    number = None if value is None else flags_number(value, flags_type(register.enum), _label(register))
    return _packed(register, number, width)


def _write_groups(register: Register, value: DecodedValue, width: int | None) -> bytes:
    number = None if value is None else groups_number(value, groups_type(register.enum), _label(register))
    return _packed(register, number, width)


def _write_float(register: Register, value: DecodedValue, width: int | None) -> bytes:
    try:
        return struct.pack("<f", math.nan if value is None else value)
    except (struct.error, OverflowError):
        raise Unencodable(f"{_label(register)}: {value!r} is not a number of 32 bits") from None


def _write_text(register: Register, value: DecodedValue, width: int | None) -> bytes:
    if not isinstance(value, str) or "\0" in value:
        raise Unencodable(f"{_label(register)}: {value!r} is not a text")
    return _padded(register, value.encode(), width)


def _write_bytes(register: Register, value: DecodedValue, width: int | None) -> bytes:
    if not isinstance(value, bytes | bytearray):
        raise Unencodable(f"{_label(register)}: {value!r} is not bytes")
    return _padded(register, bytes(value), width)


def _padded(register: Register, data: bytes, width: int | None) -> bytes:
    if width is not None and len(data) > width:
        raise Unencodable(f"{_label(register)}: {len(data)} bytes do not fit into {width}")
    return data.ljust(width or 0, b"\0")


def _write_record(register: Register, value: DecodedValue, width: int | None) -> bytes:
    if not isinstance(value, dict):
        raise Unencodable(f"{_label(register)}: {value!r} is not a set of fields")
    return encode_compound(register.layout, value)


def _write_void(register: Register, value: DecodedValue, width: int | None) -> bytes:
    if value is not None:
        raise Unencodable(f"{_label(register)} is a command without payload")
    return b""


_WRITERS: dict[str, Callable[[Register, DecodedValue, int | None], bytes]] = {
    **dict.fromkeys(("u8", "u16", "u32", "i8", "i16", "i32"), _write_number),
    **dict.fromkeys(("enum8", "enum16", "enum_i16"), _write_code),
    **dict.fromkeys(("bits8", "bits16", "bits32"), _write_flags),
    **dict.fromkeys(("groups8", "groups16", "groups32"), _write_groups),
    "f32": _write_float,
    "str": _write_text,
    "bytes": _write_bytes,
    "record": _write_record,
    "void": _write_void,
}
