"""The registers: registers.csv, read when the first register is asked for, each row parsed when it is first used.

A register number means the same over VE.Direct HEX, VE.Can, VictronConnect's Bluetooth protocol and VE.Smart
networking. One line of the file is one meaning of one number:

- `id`, `key`: the number and the name for programs; a key names one number within a family.
- `metric`: the measured quantity; empty if the register is a setting, a command or a fact.
- `type`: u8 i8 u16 i16 u32 i32 f32 numbers; bits8 bits16 bits32 masks; enum8 enum16 enum_i16 named numbers; groups8
  groups16 groups32 two-bit groups; str, bytes, record (see `compounds.py`), void (a command without payload).
- `scale`, `offset`, `unit`: physical = raw × scale + offset, exact decimals. Temperatures are in °C: a register in
  kelvin has the offset -273.15.
- `not_available`: the raw pattern that means "no value" (protocol page victronconnect-gatt, section 12, for what a
  device measures; else only where a source says so, since 0xFF can be a setting, such as a user-defined battery).
- `access`, `persistent`: ro, rw or w (a command); y where the value lives in the device's memory.
- `enum`: the enumeration of `enums.csv`; for groups "enumeration/states", see `GROUP_STATES`.
- `layout`: the layout of a record.
- `secret`: y if the value opens something and must not be shown.
- `personal`: y if the value identifies a person, a device or a place: replaced, too, before a capture is shared.
- `families`, `confidence`, `sources`: which devices, and what supports the row: `documented` by the vendor,
  `two_sources`, `single`, `guess`.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import msgspec

from bluewatt.schema import Code, Flags, Scale, TwoBitFields
from bluewatt.tables.enums import code_class, enumeration, flags_class

CSV_NAME = "registers.csv"

EVERY_FAMILY = "all"
NETWORK = "network"
"""The family of the registers that chargers share (0x2000 and up); it applies to every device after its own rows."""

SIZES = {
    "u8": 1, "i8": 1, "bits8": 1, "enum8": 1, "groups8": 1, "u16": 2, "i16": 2, "bits16": 2, "enum16": 2,
    "enum_i16": 2, "groups16": 2, "u32": 4, "i32": 4, "f32": 4, "bits32": 4, "groups32": 4, "void": 0,
}  # fmt: skip
"""Bytes of each type of fixed width."""

SIGNED = frozenset({"i8", "i16", "i32", "enum_i16"})

DOUBTFUL = frozenset({"single", "guess"})
"""The confidences of rows with a single source or none."""

GROUP_STATES = {
    "yes_no": ("not_available", "yes", "no", "reserved"),
    "level": ("unsupported", "ok", "warning", "alarm"),
    "bus": ("not_available", "connected", "no_bus_power", "lost"),
    "fuse": ("not_available", "unused", "ok", "blown"),
    "setting": ("not_available", "off", "alarm", "alarm_and_warning"),
}
"""The meanings of the four values of a two-bit group."""


class Register(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One meaning of one register number; the fields are the columns of the file."""

    id: int
    key: str
    metric: str | None = None
    type: str
    scale: Scale = Scale()
    unit: str = ""
    not_available: int | None = None
    """The raw unsigned pattern of "no value" at the width of `type`."""
    access: str = "ro"
    persistent: bool = False
    enum: str = ""
    layout: str = ""
    secret: bool = False
    personal: bool = False
    families: tuple[str, ...] = (EVERY_FAMILY,)
    description: str = ""
    confidence: str = "guess"
    sources: tuple[str, ...] = ()
    borrowed: bool = False
    """Whether the row was written for another family of devices: its meaning is likely, not known."""

    @property
    def size(self) -> int | None:
        """The bytes of the value; None if the type has no fixed width."""
        return SIZES.get(self.type)

    @property
    def signed(self) -> bool:
        """Whether the number is in two's complement."""
        return self.type in SIGNED

    @property
    def readable(self) -> bool:
        """Whether the device answers a read; a command does not."""
        return self.access != "w"

    @property
    def writable(self) -> bool:
        """Whether the device may take a write; what may be written safely is in `controls.py`."""
        return self.access != "ro"

    @property
    def id_text(self) -> str:
        """The number as people write it, such as "0xED8D"."""
        return f"0x{self.id:04X}"


@cache
def code_type(name: str) -> type[Code]:
    """Return the class of the named numbers of a register's `enum`; without one every number is unknown."""
    return code_class(name) if name else Code


@cache
def flags_type(name: str) -> type[Flags]:
    """Return the class of the named bits of a register's `enum`; without one the bits are numbered."""
    return flags_class(name) if name else Flags


@cache
def groups_type(name: str) -> type[TwoBitFields]:
    """Return the class of a register of two-bit groups, by "enumeration/states"."""
    enum, _, states = name.partition("/")
    doc = f"Groups of the enumeration {enum}, each {', '.join(GROUP_STATES[states])}."
    return type(enum, (TwoBitFields,), {"names": enumeration(enum), "states": GROUP_STATES[states], "__doc__": doc})


@cache
def _lines() -> dict[str, list[str]]:
    """Return the lines of the file by their first column, in the order of the file."""
    index: dict[str, list[str]] = {}
    text = Path(__file__).with_name(CSV_NAME).read_text("utf-8")
    for line in text.splitlines()[1:]:
        index.setdefault(line[:6], []).append(line)
    return index


@cache
def _ids_of_names() -> dict[str, list[int]]:
    """Return register numbers by key, then by metric."""
    index: dict[str, list[int]] = {}
    rows = [line.split(",", 3)[:3] for lines in _lines().values() for line in lines]
    for column in (1, 2):
        for row in rows:
            ids = index.setdefault(row[column], [])
            if int(row[0], 16) not in ids:
                ids.append(int(row[0], 16))
    index.pop("", None)
    return index


def _parse(line: str) -> Register:
    (number, key, metric, kind, scale, offset, unit, absent, access, kept, enum, layout, secret, personal,
     families, description, confidence, sources) = next(csv.reader((line,)))  # fmt: skip
    return Register(
        id=int(number, 16),
        key=key,
        metric=metric or None,
        type=kind,
        scale=Scale.of(scale, offset) if scale else Scale(),
        unit=unit,
        not_available=int(absent, 16) if absent else None,
        access=access,
        persistent=kept == "y",
        enum=enum,
        layout=layout,
        secret=secret == "y",
        personal=personal == "y",
        families=tuple(families.split(";")),
        description=description,
        confidence=confidence,
        sources=tuple(sources.split(";")),
    )


@cache
def rows_with_number(register_id: int) -> tuple[Register, ...]:
    """Return every row of one register number, in the order of the file; empty for a number nobody has listed."""
    return tuple(map(_parse, _lines().get(f"0x{register_id:04X}", ())))


@cache
def lookup(register_id: int, family: str | None) -> Register | None:
    """Return what a register number means on a device of a family (None: the family is not known).

    The row of the family itself, else of the network, else of all devices. Failing these, the row of another family,
    marked `borrowed`, if all rows there are read the same way. None for a number nobody has listed.
    """
    rows = rows_with_number(register_id)
    for wanted in (family, NETWORK, EVERY_FAMILY):
        for row in rows:
            if wanted in row.families:
                return row
    if len({(row.type, row.scale, row.unit, row.enum, row.layout) for row in rows}) != 1:
        return None
    return msgspec.structs.replace(rows[0], borrowed=True)


def by_key(key: str, family: str | None) -> Register | None:
    """Return the register of this name on a device of a family, by the rules of `lookup`; None if there is none."""
    found = [row for number in _ids_of_names().get(key, ()) if (row := lookup(number, family)) and row.key == key]
    return min(found, key=lambda row: row.borrowed, default=None)


def by_metric(metric: str, family: str | None) -> tuple[Register, ...]:
    """Return the registers that measure a quantity on a device of a family, the finest of the well-founded first."""
    rows = (lookup(number, family) for number in _ids_of_names().get(metric, ()))
    return tuple(sorted((row for row in rows if row and row.metric == metric), key=_preference))


def _preference(row: Register) -> tuple[bool, bool, int]:
    return row.borrowed, row.confidence in DOUBTFUL, -row.scale.divisor


def by_name(name: str, family: str | None) -> Register | None:
    """Return the register a person means: by metric (the finest), by key, or by number such as "0xED8D"."""
    if name[:2].lower() == "0x":
        return _by_number(name, family)
    measuring = by_metric(name, family)
    return measuring[0] if measuring else by_key(name, family)


def _by_number(text: str, family: str | None) -> Register | None:
    try:
        return lookup(int(text, 16), family)
    except ValueError:
        return None


def registers(family: str | None = None) -> Iterator[Register]:
    """Yield all rows by number; with a family those that apply to its devices, one per number and none borrowed."""
    for number in _lines():
        if family is None:
            yield from rows_with_number(int(number, 16))
        elif (row := lookup(int(number, 16), family)) and not row.borrowed:
            yield row
