"""The words a table is written in: named numbers, rows of bits, records of rows.

A record is described once, as a class of one-line rows::

    class Inverter(Record, record_type=0x03, proof=Proof.CAPTURED):
        device_state: DeviceState | None = coded(8, DeviceState, na=0xFF)
        battery_voltage: float | None = sint(16, "V", step="0.01", na=0x7FFF)

Everything reads the rows: decoder, encoder, batch decoder, emulator, Wireshark dissector, reference page. A record on
the wire is a little-endian bit stream (protocol page instant-readout, section 3): bit n is bit n mod 8 of byte n div 8,
rows follow each other from bit 0, and the bits left over in the last byte are ones.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from math import lcm
from typing import Any, ClassVar, Final

import msgspec

NOT_IN_TABLE: Final = "unknown"


class Name(msgspec.Struct, frozen=True, gc=False):
    """What one number of an enumeration is called: `key` for programs, `label` for people."""

    key: str
    label: str


class Code(int):
    """A number with a name, such as a device state; a number nobody has named stays a number called "unknown(n)"."""

    names: ClassVar[Mapping[int, Name]] = {}

    def __init_subclass__(cls, *, names: Mapping[int, Name] | None = None) -> None:
        if names is not None:
            cls.names = names

    @property
    def known(self) -> bool:
        """Whether the enumeration names this number."""
        return int(self) in self.names

    @property
    def key(self) -> str:
        """The name for programs, such as "bulk"."""
        name = self.names.get(int(self))
        return name.key if name else f"{NOT_IN_TABLE}({int(self)})"

    @property
    def label(self) -> str:
        """The name for people, such as "Bulk"."""
        name = self.names.get(int(self))
        return name.label if name else f"{NOT_IN_TABLE} ({int(self)})"

    def as_json(self) -> str:
        """The value of a JSON reading: the key."""
        return self.key

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.key} ({int(self)})>"

    def __str__(self) -> str:
        return self.label


class Flags(int):
    """A number whose bits have names, such as an alarm reason; bits combine, unnamed bits are called "bit n"."""

    names: ClassVar[Mapping[int, Name]] = {}

    def __init_subclass__(cls, *, names: Mapping[int, Name] | None = None) -> None:
        if names is not None:
            cls.names = names

    @property
    def bits(self) -> list[int]:
        """The numbers of the bits that are set, lowest first."""
        return [bit for bit in range(int(self).bit_length()) if int(self) >> bit & 1]

    @property
    def known(self) -> bool:
        """Whether the enumeration names every bit that is set."""
        return all(bit in self.names for bit in self.bits)

    @property
    def keys(self) -> list[str]:
        """The names for programs of the bits that are set."""
        return [self.names[bit].key if bit in self.names else f"bit{bit}" for bit in self.bits]

    @property
    def labels(self) -> list[str]:
        """The names for people of the bits that are set."""
        return [self.names[bit].label if bit in self.names else f"bit {bit}" for bit in self.bits]

    def as_json(self) -> list[str]:
        """The value of a JSON reading: the keys of the bits that are set."""
        return self.keys

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {'+'.join(self.keys) or 'none'} (0x{int(self):X})>"

    def __str__(self) -> str:
        return ", ".join(self.labels) or "none"


class TwoBitFields(int):
    """A number made of two-bit groups with names, such as a BMS input and output status; group value 0 is "unused"."""

    names: ClassVar[Mapping[int, Name]] = {}
    states: ClassVar[tuple[str, str, str, str]] = ("unused", "1", "2", "3")

    def __init_subclass__(
        cls, *, names: Mapping[int, Name] | None = None, states: tuple[str, str, str, str] | None = None
    ) -> None:
        if names is not None:
            cls.names = names
        if states is not None:
            cls.states = states

    @property
    def known(self) -> bool:
        """Whether every group in use has a name."""
        return all(group in self.names for group in self._used())

    @property
    def keys(self) -> list[str]:
        """Every group in use as "name=state"."""
        return [f"{self._key(group)}={self.states[int(self) >> 2 * group & 3]}" for group in self._used()]

    def as_json(self) -> list[str]:
        """The value of a JSON reading: the groups in use as "name=state"."""
        return self.keys

    def _used(self) -> list[int]:
        return [group for group in range((int(self).bit_length() + 1) // 2) if int(self) >> 2 * group & 3]

    def _key(self, group: int) -> str:
        return self.names[group].key if group in self.names else f"group{group}"

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {' '.join(self.keys) or 'none'} (0x{int(self):X})>"

    def __str__(self) -> str:
        return ", ".join(self.keys) or "none"


Named = type[Code] | type[Flags] | type[TwoBitFields]


def exact(text: str) -> tuple[int, int]:
    """An exact decimal text such as "-0.01" as (numerator, denominator): (-1, 100)."""
    whole, _, fraction = text.partition(".")
    return int(whole + fraction), int(10 ** len(fraction))


class Scale(msgspec.Struct, frozen=True, gc=False):
    """An exact linear scale: value = (raw × `factor` + `shift`) ÷ `divisor`, all integers, so 1253 × 0.01 is 12.53."""

    factor: int = 1
    shift: int = 0
    divisor: int = 1

    @classmethod
    def of(cls, step: str = "1", bias: str = "0") -> Scale:
        """The scale with `step` units per count, `bias` added; both exact decimal texts."""
        (step_top, step_bottom), (bias_top, bias_bottom) = exact(step), exact(bias)
        divisor = lcm(step_bottom, bias_bottom)
        return cls(step_top * divisor // step_bottom, bias_top * divisor // bias_bottom, divisor)

    @property
    def decimals(self) -> int:
        """How many decimals a value of this scale has."""
        return len(str(self.divisor)) - 1

    def value(self, raw: int) -> float | int:
        """The value of a raw count: an int where the scale has no decimals, a float else."""
        scaled = raw * self.factor + self.shift
        return scaled if self.divisor == 1 else scaled / self.divisor

    def raw(self, value: float) -> int:
        """The raw count nearest to a value."""
        return round((value * self.divisor - self.shift) / self.factor)


class Proof(msgspec.Struct, frozen=True):
    """What stands behind a row."""

    key: str
    label: str

    CAPTURED: ClassVar[Proof]
    DOCUMENTED: ClassVar[Proof]
    UNPROVEN: ClassVar[Proof]


Proof.CAPTURED = Proof("captured", "proven by bytes of a real device")
Proof.DOCUMENTED = Proof("documented", "from the vendor's documents or source, no bytes of a real device yet")
Proof.UNPROVEN = Proof("unproven", "other people's reading, neither document nor bytes")


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One row of a record: where the bits are and what they mean. Absence is decided on the raw bits alone."""

    name: str = ""
    """The metric key; set from the attribute name when the record class is made."""
    start: int = 0
    """The first bit, counted from bit 0 of the record; set when the record class is made."""
    bits: int
    """The width; of one element where `count` is more than one."""
    signed: bool = False
    unit: str = ""
    scale: Scale = Scale()
    na: tuple[int, ...] = ()
    """Raw unsigned patterns that mean "not available"; the first is the one written."""
    named: Named | None = None
    """The enumeration of a coded row."""
    count: int = 1
    """How many elements the row has; more than one is a list."""
    pieces: tuple[tuple[int, int, int], ...] = ()
    """A piecewise linear scale: (first raw, value there, step from there on)."""
    when: tuple[str, tuple[int, ...]] | None = None
    """(selector row, its raw values) of an overlay: neighbouring rows with a `when` share the same bits."""
    hidden: bool = False
    """Bits without a meaning, kept only so that a record encodes back as it was."""
    raw: bool = False
    """The row is the rest of the record as bytes, of unknown layout."""
    proof: Proof | None = None
    """What stands behind this row, where it differs from its record."""

    @property
    def width(self) -> int:
        """All bits of the row."""
        return self.bits * self.count

    @property
    def end(self) -> int:
        """The bit after the last."""
        return self.start + self.width

    @property
    def mask(self) -> int:
        """All ones over one element."""
        return (1 << self.bits) - 1

    def value(self, raw: int) -> Any:
        """The value of one raw element (unsigned, as it stands in the record); None for "not available"."""
        if raw in self.na:
            return None
        if self.pieces:
            first, value, step = next(piece for piece in reversed(self.pieces) if raw >= piece[0])
            return value + (raw - first) * step
        number = raw - (1 << self.bits) if self.signed and raw >> (self.bits - 1) else raw
        return self.named(number) if self.named is not None else self.scale.value(number)


def uint(
    bits: int, unit: str = "", *, step: str = "1", bias: str = "0", na: int | tuple[int, ...] = (),
    when: tuple[str, int] | None = None, proof: Proof | None = None,
) -> Any:  # fmt: skip
    """A row of an unsigned number: value = raw × `step` + `bias`, in `unit`."""
    return Row(bits=bits, unit=unit, scale=Scale.of(step, bias), na=_codes(na), when=_selected(when), proof=proof)


def sint(
    bits: int, unit: str = "", *, step: str = "1", na: int | tuple[int, ...] = (),
    when: tuple[str, int] | None = None, proof: Proof | None = None,
) -> Any:  # fmt: skip
    """A row of a signed number in two's complement; `na` is the raw pattern, before the sign is looked at."""
    return Row(
        bits=bits, signed=True, unit=unit, scale=Scale.of(step), na=_codes(na), when=_selected(when), proof=proof
    )


def coded(
    bits: int, named: type[Code], *, na: int | tuple[int, ...] = (), signed: bool = False, proof: Proof | None = None
) -> Any:
    """A row of one named number."""
    return Row(bits=bits, named=named, na=_codes(na), signed=signed, proof=proof)


def flags(bits: int, named: type[Flags] | type[TwoBitFields], *, proof: Proof | None = None) -> Any:
    """A row of named bits or of named two-bit groups."""
    return Row(bits=bits, named=named, proof=proof)


def several(count: int, row: Any) -> Any:
    """A row of `count` equal elements side by side: a list."""
    return msgspec.structs.replace(row, count=count)


def piecewise(bits: int, unit: str, *, pieces: tuple[tuple[int, int, int], ...], na: int) -> Any:
    """A row of an unsigned number with a scale of several slopes: (first raw, value there, step from there on)."""
    return Row(bits=bits, unit=unit, pieces=pieces, na=(na,))


def unspecified(bits: int, *, when: tuple[str, tuple[int, ...]] | None = None) -> Any:
    """Bits without a published meaning: not a value, but kept so that a record encodes back as it was."""
    return Row(bits=bits, hidden=True, when=when)


def unknown_rest() -> Any:
    """The whole record as bytes, for a type whose layout nobody has published."""
    return Row(bits=0, raw=True)


def _codes(na: int | tuple[int, ...]) -> tuple[int, ...]:
    return na if isinstance(na, tuple) else (na,)


def _selected(when: tuple[str, int] | None) -> tuple[str, tuple[int, ...]] | None:
    return None if when is None else (when[0], (int(when[1]),))


class RecordMeta(msgspec.StructMeta):
    """Makes record classes: takes the rows out of the class body, places them bit after bit, leaves typed fields."""

    def __new__(
        mcls, name: str, bases: tuple[type, ...], body: dict[str, Any], *,
        record_type: int | None = None, record_name: str = "", title: str = "", proof: Proof = Proof.UNPROVEN,
    ) -> Any:  # fmt: skip
        """A record class: `record_type` is its number on air, `title` and `proof` what the reference page says."""
        rows = place({key: row for key, row in body.items() if isinstance(row, Row)})
        body.update(dict.fromkeys(row.name for row in rows))
        cls: Any = super().__new__(mcls, name, bases, body, frozen=True, gc=False)
        cls.rows, cls.bits = rows, max((row.end for row in rows), default=0)
        cls.spare = (1 << -cls.bits % 8) - 1
        cls.record_type, cls.record_name = record_type, record_name or _snake(name)
        cls.title, cls.proof = title or name, proof
        return cls


def place(rows: Mapping[str, Row]) -> tuple[Row, ...]:
    """Name rows and set their first bits: one after the other, overlays of one selector on the same bits."""
    placed: list[Row] = []
    position = 0
    for name, row in rows.items():
        overlay = bool(row.when and placed and placed[-1].when)
        start = placed[-1].start if overlay else position
        placed.append(msgspec.structs.replace(row, name=name, start=start))
        position = max(position, start + row.width)
    return tuple(placed)


def _snake(name: str) -> str:
    return "".join("_" + letter.lower() if letter.isupper() else letter for letter in name).lstrip("_")


class Record(msgspec.Struct, metaclass=RecordMeta):
    """The base of all advertised records; every field is None where the device says "not available"."""

    rows: ClassVar[tuple[Row, ...]]
    bits: ClassVar[int]
    """How many bits the layout defines."""
    record_type: ClassVar[int | None]
    """The number in the advertisement; 0xFFnn for the extended types, None where there is none."""
    record_name: ClassVar[str]
    title: ClassVar[str]
    """What people call it."""
    proof: ClassVar[Proof]

    spare: ClassVar[int]
    """All ones over the unused bits of the last byte."""

    @classmethod
    def length(cls) -> int:
        """The canonical length in bytes."""
        return (cls.bits + 7) // 8

    def as_dict(self) -> dict[str, Any]:
        """The values by canonical name: numbers, enumerations as int subclasses, lists, hex text, or None."""
        return _dictionary(self.__class__)(self)


@cache
def _dictionary(cls: type[Record]) -> Callable[[Record], dict[str, Any]]:
    """The function from a record to its dictionary: one expression, made from the rows of its class."""
    parts = [f"{row.name!r}: {_plainly(row)}" for row in cls.rows if not row.hidden]
    made: Callable[[Record], dict[str, Any]] = eval(f"lambda r: {{{', '.join(parts)}}}", {"plain": _plain})
    return made


def _plainly(row: Row) -> str:
    """The expression of a row's value in the record r: only lists and raw bytes have to be made plain."""
    return f"plain(r.{row.name})" if row.raw or row.count > 1 else f"r.{row.name}"


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return list(value)
    return value.hex() if isinstance(value, bytes) else value
