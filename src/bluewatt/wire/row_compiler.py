"""Rows compiled to functions: the one decoder there is, made from the table when a record type is first met.

`decoder(cls)` writes the source of a function that takes a record as one little-endian integer and returns the record
object, and compiles it: every offset, mask and scale in it comes from the rows, and straight-line arithmetic on one
integer is several times faster than walking the rows for each advertisement. The other way, `raw_bits` walks the rows:
nobody encodes a hundred thousand records a second.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

from bluewatt.errors import Unencodable
from bluewatt.schema import Flags, Record, Row, TwoBitFields

CACHED_NAMES = 4096
"""How many instances of an enumeration are kept for reuse; a 32-bit mask could otherwise fill the memory."""


class _Instances(dict[int, Any]):
    """Raw number → value of a coded row, made at first use."""

    def __init__(self, row: Row) -> None:
        super().__init__()
        self.row = row

    def __missing__(self, raw: int) -> Any:
        value = self.row.value(raw)
        if len(self) < CACHED_NAMES:
            self[raw] = value
        return value


@cache
def decoder(cls: type[Record]) -> Callable[[int], Record]:
    """Compile the function from a record's bits (one integer, all defined bits present) to the record."""
    lines, names = source(cls)
    made: Callable[[int], Record]
    made = compiled("decode", "n", [*lines, f"return {construction(cls)}"], names | {"cls": cls})
    return made


def source(cls: type[Record]) -> tuple[list[str], dict[str, Any]]:
    """Return the statements that set v0, v1, … to the values of a record `n`, row by row, and the names they use."""
    names = {f"known{index}": _Instances(row) for index, row in enumerate(cls.rows) if _is_looked_up(row)}
    lines = [line for index, row in enumerate(cls.rows) for line in _statements(cls, index, row)]
    return lines, names


def construction(cls: type[Record]) -> str:
    """Return the expression that makes the record of those values; it needs the name `cls`."""
    return f"cls({', '.join(f'v{index}' for index in range(len(cls.rows)))})"


def compiled(name: str, arguments: str, lines: list[str], names: dict[str, Any]) -> Any:
    """Return the function of statements that are text of our own; `names` are its global names."""
    exec("\n".join([f"def {name}({arguments}):", *(f"    {line}" for line in lines)]), names)
    return names[name]


def _is_looked_up(row: Row) -> bool:
    return row.named is not None or bool(row.pieces)


def _statements(cls: type[Record], index: int, row: Row) -> Iterator[str]:
    """Return the lines that set v<index> to the value of a row."""
    if row.count > 1:
        for number in range(row.count):
            yield f"r = {_bits(row, row.start + row.bits * number)}"
            yield f"e{number} = {_value(row, index)}"
        yield f"v{index} = ({' '.join(f'e{number},' for number in range(row.count))})"
    elif row.when is not None:
        selector = next(other for other in cls.rows if other.name == row.when[0])
        yield f"v{index} = None"
        yield f"if {_bits(selector, selector.start)} in {row.when[1]!r}:"
        yield f"    r = {_bits(row, row.start)}"
        yield f"    v{index} = {_value(row, index)}"
    else:
        yield f"r = {_bits(row, row.start)}"
        yield f"v{index} = {_value(row, index)}"


def _bits(row: Row, start: int) -> str:
    return f"n >> {start} & {row.mask:#x}" if start else f"n & {row.mask:#x}"


def _value(row: Row, index: int) -> str:
    """Return an expression for the value of the raw bits r."""
    value = f"known{index}[r]" if _is_looked_up(row) else _scaled(row)
    if not row.na:
        return value
    absent = f"== {row.na[0]:#x}" if len(row.na) == 1 else f"in {row.na!r}"
    return f"None if r {absent} else {value}"


def _scaled(row: Row) -> str:
    sign = 1 << (row.bits - 1)
    number = f"((r ^ {sign:#x}) - {sign:#x})" if row.signed else "r"
    if row.scale.factor != 1:
        number = f"{number} * {row.scale.factor}"
    if row.scale.shift:
        number = f"({number} + {row.scale.shift})"
    return number if row.scale.divisor == 1 else f"{number} / {row.scale.divisor}"


def raw_bits(record: Record) -> int:
    """Return the bits of a record over its canonical length: absent values as their pattern, spare bits ones.

    A mask that has no such pattern and no value has no bit set: ones would be alarms that nobody raised.

    Raises Unencodable for a value its row cannot hold.
    """
    bits = (1 << 8 * record.length()) - 1
    for row in record.rows:
        value = getattr(record, row.name)
        if value is None and (row.when is not None or not row.na):
            if _is_mask(row) and row.when is None:
                bits &= ~(row.mask << row.start)
            continue  # an overlay that is not selected, or a row that cannot say "absent": ones
        for number, element in enumerate(_elements(row, value)):
            start = row.start + row.bits * number
            bits &= ~(row.mask << start)
            bits |= _raw(row, element) << start
    return _absent_overlays(record, bits)


def _is_mask(row: Row) -> bool:
    return row.named is not None and issubclass(row.named, Flags | TwoBitFields)


def _absent_overlays(record: Record, bits: int) -> int:
    """Return the patterns for "not available" of selected overlays without a value."""
    for row in record.rows:
        if row.when is None or not row.na or getattr(record, row.name) is not None:
            continue
        if getattr(record, row.when[0]) in row.when[1]:
            bits = bits & ~(row.mask << row.start) | row.na[0] << row.start
    return bits


def _elements(row: Row, value: Any) -> tuple[Any, ...]:
    if row.count == 1:
        return (value,)
    elements = tuple(value) if value is not None else (None,) * row.count
    if len(elements) != row.count:
        raise Unencodable(f"{row.name} has {row.count} elements, not {len(elements)}")
    return elements


def _raw(row: Row, value: float | None) -> int:
    """Return the raw bits of one element of a row; raises Unencodable for a value the row cannot hold."""
    if value is None:
        if not row.na:
            raise Unencodable(f"{row.name} cannot be absent")
        return row.na[0]
    try:
        number = _unpiece(row, value) if row.pieces else int(value) if row.named else row.scale.raw(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise Unencodable(f"{row.name} takes a number, not {value!r}") from error
    low, high = (-(1 << (row.bits - 1)), (1 << (row.bits - 1)) - 1) if row.signed else (0, row.mask)
    raw = number & row.mask
    if not low <= number <= high or raw in row.na:
        raise Unencodable(f"{row.name} cannot hold {value} {row.unit}".rstrip())
    return raw


def _unpiece(row: Row, value: float) -> int:
    first, base, step = next((piece for piece in reversed(row.pieces) if value >= piece[1]), row.pieces[0])
    return first + round((value - base) / step)
