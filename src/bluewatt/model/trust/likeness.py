"""The likeness of two records of one device, in bits of evidence that the right key opened both.

A device sends nearly the same from one second to the next: its codes stay, its numbers move a little. Two records
opened with a wrong key are random and unlike each other, if their nonces differ. So a code that stays is evidence for
the key, whether anybody has named it or not. Every figure here is the base 2 logarithm of how much more likely a row is
from a device than at random. The constants, how often devices do what, are our own estimates.
"""

from __future__ import annotations

from functools import cache
from math import log2
from typing import Any

import msgspec

from bluewatt.schema import Record, Row

STAYS = 15 / 16
"""Share of records in which a code, a mask or "not available" is as before."""
EQUAL = 1 / 4
"""Share of records in which a number is exactly as before; in the others, changes of any magnitude are as likely."""
TURNED = log2(1 - STAYS)
"""Evidence of a code that changed, or of a number that appeared or went absent, bits."""
LIKE_BITS = 16.0
"""Evidence of a record of unknown layout at most, for the key or against it, bits."""
BYTE_STAYS = 3 / 4
"""Share of the bytes of a record of unknown layout that are as before."""


class _Measure(msgspec.Struct, frozen=True, gc=False):
    """The facts by which values of one row are compared."""

    name: str
    named: bool
    overlay: bool
    bits: int
    per_unit: float
    """Raw counts in one unit."""
    stays: float
    """Evidence of the row being "not available" again, or the same code again, bits."""


@cache
def _measures(cls: type[Record]) -> dict[str, _Measure]:
    return {row.name: _measure(row) for row in cls.rows if not (row.hidden or row.raw)}


def _measure(row: Row) -> _Measure:
    stays = row.bits + log2(STAYS) - log2(max(len(row.na), 1))
    per_unit = row.scale.divisor / abs(row.scale.factor)
    return _Measure(row.name, row.named is not None, row.when is not None, row.bits, per_unit, stays)


def row_likeness(name: str, before: Record, now: Record) -> float | None:
    """Return the evidence of the likeness of one row, in bits; None if it says nothing.

    Both records are of one class and were sent with different nonces.
    """
    measure = _measures(type(now))[name]
    old, new = getattr(before, name), getattr(now, name)
    if measure.overlay and (old is None or new is None):
        return None  # another overlay of the same bits may be the selected one
    if measure.named:
        return measure.stays if old == new else TURNED
    if isinstance(old, tuple) and isinstance(new, tuple):
        return sum(_numbers(measure, *pair) for pair in zip(old, new, strict=True))
    return _numbers(measure, old, new)


def _numbers(measure: _Measure, old: Any, new: Any) -> float:
    if old is None or new is None:
        return measure.stays if old is new else TURNED
    change: int = round(abs(new - old) * measure.per_unit)
    if not change:
        return measure.bits + log2(EQUAL)
    magnitude = min(change.bit_length(), measure.bits)
    return float(measure.bits - magnitude) + log2((1 - EQUAL) / measure.bits)


def likeness(before: Record, now: Record) -> float:
    """Return the evidence of the likeness of two records of one class, in bits, all rows together."""
    if now.rows and now.rows[0].raw:
        return bytes_likeness(getattr(before, now.rows[0].name), getattr(now, now.rows[0].name))
    return sum(row_likeness(name, before, now) or 0.0 for name in _measures(type(now)))


def bytes_likeness(before: bytes | None, now: bytes | None) -> float:
    """Return the evidence of the likeness of two records of unknown layout, in bits; 0 if their lengths differ."""
    if not before or not now or len(before) != len(now):
        return 0.0
    same = sum(one == two for one, two in zip(before, now, strict=True))
    worth = same * (8 + log2(BYTE_STAYS)) + (len(now) - same) * log2(1 - BYTE_STAYS)
    return max(-LIKE_BITS, min(LIKE_BITS, worth))
