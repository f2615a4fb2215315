"""The rows of a record class, each evaluated for many records at once, to numpy columns (needs the `batch` extra).

The numbers are those of the decoder of single records, to the last bit.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bluewatt.schema import Record, Row

WORD: Final = 64
"""Bits of a word."""

_AT_ONCE: Final = 8192
"""Records evaluated at once: a few columns of that many numbers stay in the cache of one core."""

Numbers = NDArray[Any]
Words = tuple[NDArray[np.uint64], NDArray[np.uint64]]
"""The bits of many records: the first 64 of each, and the others."""
Mask = NDArray[np.bool_]


class Column(NamedTuple):
    """The values of one row of the table in all records of a kind; lists and raw bytes have a second axis."""

    row: Row
    values: Numbers
    """float64 with NaN for absent where the scale has decimals, the smallest integer type that holds the row else."""
    valid: Mask
    """Which values are there; where it is False, an integer in `values` means nothing."""


def columns_of(cls: type[Record], words: Words, present: NDArray[np.int64]) -> dict[str, Column]:
    """Return the columns of records of one class: `words` are their bits, `present` how many of them were sent."""
    count = len(present)
    rows = [row for row in cls.rows if not row.hidden]
    columns = {row.name: _empty(row, count) for row in rows}
    selectors = {row.name: row for row in cls.rows}
    for start in range(0, count, _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        some, bits = _filled(cls, (words[0][part], words[1][part]), present[part])
        for row in rows:
            column = columns[row.name]
            _evaluate(column, part, some)
            if row.when is not None:
                selected = _field(some, selectors[row.when[0]])
                _strike(column, part, np.logical_and.reduce([selected != code for code in row.when[1]]))
            if bits is not None:
                _strike(column, part, bits < row.end)
    return columns


def _filled(cls: type[Record], words: Words, bits: NDArray[np.int64]) -> tuple[Words, NDArray[np.int64] | None]:
    """Return records with the bits that were not sent as ones, and how many were sent; None if all were."""
    if bits.min() >= cls.bits:
        return words, None
    return (words[0] | _ones_from(bits), words[1] | _ones_from(bits - WORD)), bits


def _ones_from(bits: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Return words of ones from a bit on: all ones from bit 0, none from bit 64."""
    ones = np.uint64(0xFFFFFFFFFFFFFFFF) << np.clip(bits, 0, WORD - 1).astype(np.uint64)
    return np.where(bits < WORD, ones, np.uint64(0))


def _empty(row: Row, count: int) -> Column:
    shape = (count,) if row.count == 1 else (count, row.count)
    return Column(row, np.empty(shape, value_type(row)), np.ones(shape, np.bool_))


def value_type(row: Row) -> np.dtype[Any]:
    """Return the type of a row's values in a column."""
    if row.scale.divisor != 1:
        return np.dtype(np.float64)
    if row.pieces:
        return np.dtype(np.min_scalar_type(max(row.value(raw) or 0 for raw in range(row.mask + 1))))
    ends = (-(1 << row.bits - 1), row.mask >> 1) if row.signed else (0, row.mask)
    low, high = sorted(number * row.scale.factor + row.scale.shift for number in ends)
    return np.dtype(np.min_scalar_type(high if low >= 0 else min(low, -high - 1)))


def _field(words: Words, row: Row, element: int = 0) -> Numbers:
    """Return the raw numbers of a row: shifted left to drop the bits above, then right with or without the sign."""
    start = row.start + row.bits * element
    end = start + row.bits
    if start // WORD == (end - 1) // WORD:
        word, top = words[start // WORD], end % WORD or WORD
    else:
        low, high = np.uint64(start % WORD), np.uint64(WORD - start % WORD)
        word, top = words[0] >> low | words[1] << high, row.bits
    raised = word << np.uint64(WORD - top) if top < WORD else word
    if row.signed:
        return np.asarray(raised.view(np.int64) >> np.int64(WORD - row.bits))
    # A number below 2^63 is the same as a signed one, and those become floats faster.
    return np.asarray((raised >> np.uint64(WORD - row.bits)).view(np.int64))


def _evaluate(column: Column, part: slice, words: Words) -> None:
    """Write the values of some records into a column."""
    row = column.row
    for element in range(row.count):
        values = column.values[part] if row.count == 1 else column.values[part, element]
        valid = column.valid[part] if row.count == 1 else column.valid[part, element]
        raw = _field(words, row, element)
        _scaled(row, raw, values)
        for code in row.na:
            absent = raw == (code - (row.mask + 1) if row.signed and code > row.mask >> 1 else code)
            if absent.any():
                _remove(values, valid, absent)


def _scaled(row: Row, raw: Numbers, values: Numbers) -> None:
    if row.pieces:
        values[...] = np.array([row.value(number) or 0 for number in range(row.mask + 1)], values.dtype)[raw]
        return
    scale = row.scale
    if scale.factor != 1:
        raw = raw * scale.factor
    if scale.shift:
        raw = raw + scale.shift
    if scale.divisor == 1:
        values[...] = raw
    else:
        np.divide(raw, scale.divisor, out=values)


def _strike(column: Column, part: slice, absent: Mask) -> None:
    """Mark whole values of some records as absent."""
    if absent.any():
        _remove(column.values[part], column.valid[part], absent)


def _remove(values: Numbers, valid: Mask, absent: Mask) -> None:
    valid[absent] = False
    if values.dtype.kind == "f":
        values[absent] = np.nan
