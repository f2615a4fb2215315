"""The rows of a record: where the bits are, and what they mean."""

from __future__ import annotations

from math import lcm
from typing import Any, ClassVar

import msgspec

from bluewatt.schema.named_numbers import Code, Flags, Named, TwoBitFields


def exact(text: str) -> tuple[int, int]:
    """Return an exact decimal text such as "-0.01" as (numerator, denominator): (-1, 100)."""
    whole, _, fraction = text.partition(".")
    return int(whole + fraction), int(10 ** len(fraction))


class Scale(msgspec.Struct, frozen=True, gc=False):
    """An exact linear scale: value = (raw × `factor` + `shift`) ÷ `divisor`, all integers, so 1253 × 0.01 is 12.53."""

    factor: int = 1
    shift: int = 0
    divisor: int = 1

    @classmethod
    def of(cls, step: str = "1", bias: str = "0") -> Scale:
        """Return the scale with `step` units per count, `bias` added; both exact decimal texts."""
        (step_top, step_bottom), (bias_top, bias_bottom) = exact(step), exact(bias)
        divisor = lcm(step_bottom, bias_bottom)
        return cls(step_top * divisor // step_bottom, bias_top * divisor // bias_bottom, divisor)

    @property
    def decimals(self) -> int:
        """The number of decimals of a value."""
        return len(str(self.divisor)) - 1

    def value(self, raw: int) -> float | int:
        """Return the value of a raw count: an int if the scale has no decimals, otherwise a float."""
        scaled = raw * self.factor + self.shift
        return scaled if self.divisor == 1 else scaled / self.divisor

    def raw(self, value: float) -> int:
        """Return the raw count nearest to a value."""
        return round((value * self.divisor - self.shift) / self.factor)


class Proof(msgspec.Struct, frozen=True):
    """The evidence for a row."""

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
    """The width in bits; of one element if `count` is more than one."""
    signed: bool = False
    unit: str = ""
    scale: Scale = Scale()
    na: tuple[int, ...] = ()
    """Raw unsigned patterns that mean "not available"; the first is the one written."""
    named: Named | None = None
    """The enumeration of a coded row."""
    count: int = 1
    """The number of elements; more than one is a list."""
    pieces: tuple[tuple[int, int, int], ...] = ()
    """A piecewise linear scale: (first raw, value there, step from there on)."""
    when: tuple[str, tuple[int, ...]] | None = None
    """(selector row, its raw values) of an overlay: adjacent rows with a `when` share the same bits."""
    hidden: bool = False
    """Whether the bits have no known meaning, and are kept only so that a record encodes back unchanged."""
    raw: bool = False
    """Whether the row is the rest of the record as bytes, of unknown layout."""
    proof: Proof | None = None
    """The evidence for this row, if it differs from that of its record."""

    @property
    def width(self) -> int:
        """The number of bits of all elements."""
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
        """Return the value of one raw element (unsigned, as it stands in the record); None for "not available"."""
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
    """Declare a row of an unsigned number: value = raw × `step` + `bias`, in `unit`."""
    return Row(bits=bits, unit=unit, scale=Scale.of(step, bias), na=_codes(na), when=_selected(when), proof=proof)


def sint(
    bits: int, unit: str = "", *, step: str = "1", na: int | tuple[int, ...] = (),
    when: tuple[str, int] | None = None, proof: Proof | None = None,
) -> Any:  # fmt: skip
    """Declare a row of a signed number in two's complement; `na` is the raw pattern, before sign extension."""
    return Row(
        bits=bits, signed=True, unit=unit, scale=Scale.of(step), na=_codes(na), when=_selected(when), proof=proof
    )


def coded(
    bits: int, named: type[Code], *, na: int | tuple[int, ...] = (), signed: bool = False, proof: Proof | None = None
) -> Any:
    """Declare a row of one named number."""
    return Row(bits=bits, named=named, na=_codes(na), signed=signed, proof=proof)


def flags(bits: int, named: type[Flags] | type[TwoBitFields], *, proof: Proof | None = None) -> Any:
    """Declare a row of named bits or of named two-bit groups."""
    return Row(bits=bits, named=named, proof=proof)


def several(count: int, row: Any) -> Any:
    """Declare a row of `count` equal elements side by side: a list."""
    return msgspec.structs.replace(row, count=count)


def piecewise(bits: int, unit: str, *, pieces: tuple[tuple[int, int, int], ...], na: int) -> Any:
    """Declare a row of an unsigned number with several slopes: (first raw, value there, step from there on)."""
    return Row(bits=bits, unit=unit, pieces=pieces, na=(na,))


def unspecified(bits: int, *, when: tuple[str, tuple[int, ...]] | None = None) -> Any:
    """Declare bits without a published meaning: not a value, but kept so that a record encodes back unchanged."""
    return Row(bits=bits, hidden=True, when=when)


def unknown_rest() -> Any:
    """Declare the whole record as bytes, for a type whose layout nobody has published."""
    return Row(bits=0, raw=True)


def _codes(na: int | tuple[int, ...]) -> tuple[int, ...]:
    return na if isinstance(na, tuple) else (na,)


def _selected(when: tuple[str, int] | None) -> tuple[str, tuple[int, ...]] | None:
    return None if when is None else (when[0], (int(when[1]),))
