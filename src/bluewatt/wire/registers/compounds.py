"""Compound registers: one engine that reads and writes every layout of `tables/compounds.py`.

A payload becomes a dict by field name: numbers in units, named numbers, versions, texts, lists, lists of dicts; None
where the device says "not available". What follows the known fields is kept under `REST`, so that writing what was read
gives the same bytes. A field that old firmware leaves out is missing from the dict, and leaving it out writes the old
form.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from bluewatt.errors import Malformed, Unencodable
from bluewatt.tables.compounds import BY_LENGTH, LAYOUTS, TO_THE_END, CompoundField, CompoundLayout
from bluewatt.tables.registers import code_type
from bluewatt.wire.printable import printable
from bluewatt.wire.registers.scalars import code_number, raw_pattern, scaled_number, signed_value

REST: Final = "rest"
"""The key of the bytes behind the known fields."""

_BETA: Final = "-beta-"
_VERSION: Final = re.compile(rf"([0-9a-f]{{1,2}})\.([0-9a-f]{{2}})(?:{_BETA}([0-9a-f]{{2}}))?")


class Version(int):
    """A firmware version 0xHHMMLL, digits being hexadecimal digits printed as they are (register 0x0102).

    Old form (HH is 0): MM.LL. New form: HH.MM, with LL as the beta number, or 0xFF for a release, which therefore
    compares greater than its betas.
    """

    def __str__(self) -> str:
        high, middle, low = int(self) >> 16 & 0xFF, int(self) >> 8 & 0xFF, int(self) & 0xFF
        if not high:
            return f"{middle:x}.{low:02x}"
        return f"{high:x}.{middle:02x}" + (f"{_BETA}{low:02x}" if low != 0xFF else "")

    __repr__ = __str__

    def as_json(self) -> str:
        """Return the value for JSON: the text people know, such as "3.21"."""
        return str(self)

    @classmethod
    def parse(cls, text: str) -> Version:
        """Return the version in a text such as "3.21" or "3.21-beta-05", in the new form; else Unencodable."""
        found = _VERSION.fullmatch(text)
        parts = bytes.fromhex("".join(part.zfill(2) for part in found.groups(default="ff"))) if found else b"\0"
        if not parts[0]:
            raise Unencodable(f"{text!r} is not a version such as 3.21 or 3.21-beta-05")
        return cls.from_bytes(parts, "big")


def decode_compound(name: str, data: bytes) -> dict[str, Any]:
    """Return the fields of a payload by the layout `name`; Malformed if it ends inside or before a required field."""
    layout = BY_LENGTH.get((name, len(data))) or LAYOUTS[name]
    word, total, position = int.from_bytes(data, "little"), 8 * len(data), 0
    values: dict[str, Any] = {}
    for field in layout.fields:
        count = _elements_left(field, total - position)
        if count is None:
            if field.optional:
                break
            raise Malformed(f"{layout.name}: {len(data)} bytes end before {field.name}")
        value = _read(field, word >> position, count, data[position // 8 :])
        position = total if field.bits == TO_THE_END else position + count * field.bits
        if not field.spare or value != field.mask:
            values[field.name] = value
    if position < total:
        values[REST] = data[position // 8 :]
    return values


def _elements_left(field: CompoundField, bits: int) -> int | None:
    """Return how many elements of a field `bits` bits hold; None if the field is absent."""
    if field.bits == TO_THE_END:
        return 1 if bits else None
    count = min(field.count, bits // field.bits)
    return count if count and (field.upto or count == field.count) else None


def _read(field: CompoundField, word: int, count: int, data: bytes) -> Any:
    if field.bits == TO_THE_END:
        return bytes(data)
    if field.count == 1:
        return _element(field, word & field.mask)
    return [_element(field, word >> index * field.bits & field.mask) for index in range(count)]


def _element(field: CompoundField, raw: int) -> Any:
    """Return the value of one element; a group of all ones, like a number, is absent."""
    if field.big_endian:
        raw = _swapped(field, raw)
    if field.absent and raw == field.blank:
        return None
    return _READERS[field.kind](field, raw)


def _swapped(field: CompoundField, raw: int) -> int:
    return int.from_bytes(raw.to_bytes(field.bits // 8, "little"), "big")


def _read_number(field: CompoundField, raw: int) -> Any:
    if field.enum:
        return code_type(field.enum)(raw)
    return field.scale.value(signed_value(raw, field.bits) if field.signed else raw)


def _read_text(field: CompoundField, raw: int) -> str:
    return text_of(raw.to_bytes(field.bits // 8, "little"))


def text_of(data: bytes) -> str:
    """Return the text of a field: up to the first zero, without padding of ones, printable."""
    return printable(data.partition(b"\0")[0].rstrip(b"\xff").decode("utf-8", "replace"))


def _read_version(field: CompoundField, raw: int) -> Version:
    return Version(raw)


def _read_group(field: CompoundField, raw: int) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for inner in field.fields:
        value = _read(inner, raw, inner.count, b"")
        if not inner.spare or value != inner.mask:
            values[inner.name] = value
        raw >>= inner.bits * inner.count
    return values


_READERS: dict[str, Callable[[CompoundField, int], Any]] = {
    "number": _read_number,
    "text": _read_text,
    "version": _read_version,
    "group": _read_group,
}


def encode_compound(name: str, values: Mapping[str, Any]) -> bytes:
    """Return the payload of these fields by the layout `name`; Unencodable when a value does not fit.

    A missing field is written as "not available", a missing field at the end of an old form is left out.
    """
    layout = _layout_of(name, values)
    unknown = values.keys() - layout.keys - {REST}
    if unknown:
        raise Unencodable(f"{name} has no field {', '.join(sorted(unknown))}")
    word, position, tail = 0, 0, b""
    for field in _present(layout, values):
        if field.bits == TO_THE_END:
            tail = bytes(values[field.name])
            continue
        raw, bits = _write(field, values)
        word |= raw << position
        position += bits
    return word.to_bytes(position // 8, "little") + tail + bytes(values.get(REST, b""))


def _layout_of(name: str, values: Mapping[str, Any]) -> CompoundLayout:
    """Return the layout for one length if the fields are exactly its fields, else the general one."""
    for (candidate, _), layout in BY_LENGTH.items():
        if candidate == name and layout.keys == values.keys():
            return layout
    return LAYOUTS[name]


def _present(layout: CompoundLayout, values: Mapping[str, Any]) -> tuple[CompoundField, ...]:
    fields = layout.fields
    while fields and fields[-1].optional and fields[-1].name not in values:
        fields = fields[:-1]
    return fields


def _write(field: CompoundField, values: Mapping[str, Any]) -> tuple[int, int]:
    """Return the raw bits of a field and how many they are."""
    if field.name not in values:
        return (1 << field.bits * field.count) - 1 if not field.signed else field.blank, field.bits * field.count
    value = values[field.name]
    elements = value if field.count > 1 else [value]
    if not isinstance(elements, list | tuple) or len(elements) > field.count:
        raise Unencodable(f"{field.name}: {value!r} is not a list of up to {field.count} values")
    if len(elements) < field.count and not field.upto:
        raise Unencodable(f"{field.name}: {field.count} values are needed, not {len(elements)}")
    raw = 0
    for index, element in enumerate(elements):
        raw |= _raw_element(field, element) << index * field.bits
    return raw, len(elements) * field.bits


def _raw_element(field: CompoundField, value: Any) -> int:
    if value is None:
        if not field.absent:
            raise Unencodable(f"{field.name} cannot be absent")
        return field.blank
    raw = _WRITERS[field.kind](field, value)
    if field.absent and raw == field.blank:
        raise Unencodable(f"{field.name}: {value!r} would read as not available")
    return _swapped(field, raw) if field.big_endian else raw


def _write_number(field: CompoundField, value: Any) -> int:
    number = code_number(value, code_type(field.enum), field.name) if field.enum else _count(field, value)
    return raw_pattern(number, field.bits, signed=field.signed, what=field.name)


def _count(field: CompoundField, value: Any) -> int:
    return scaled_number(value, field.scale, field.name)


def _write_text(field: CompoundField, value: Any) -> int:
    data = str(value).encode()
    if len(data) * 8 > field.bits:
        raise Unencodable(f"{field.name}: {len(data)} bytes do not fit into {field.bits // 8}")
    return int.from_bytes(data, "little")


def _write_version(field: CompoundField, value: Any) -> int:
    number = Version.parse(value) if isinstance(value, str) else value
    if not isinstance(number, int):
        raise Unencodable(f"{field.name}: {value!r} is not a version")
    return raw_pattern(int(number), field.bits, signed=False, what=field.name)


def _write_group(field: CompoundField, value: Any) -> int:
    if not isinstance(value, Mapping):
        raise Unencodable(f"{field.name}: {value!r} is not a group of fields")
    unknown = value.keys() - {inner.name for inner in field.fields}
    if unknown:
        raise Unencodable(f"{field.name} has no field {', '.join(sorted(map(str, unknown)))}")
    raw, position = 0, 0
    for inner in field.fields:
        bits, width = _write(inner, value)
        raw |= bits << position
        position += width
    return raw


_WRITERS: dict[str, Callable[[CompoundField, Any], int]] = {
    "number": _write_number,
    "text": _write_text,
    "version": _write_version,
    "group": _write_group,
}
