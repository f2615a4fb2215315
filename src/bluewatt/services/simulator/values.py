"""Values as a device sends them: named numbers by name, and numbers rounded and limited to what their rows can hold."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, TypeVar

from bluewatt.schema import Code, Flags, Name, Record, Row, TwoBitFields

AnyCode = TypeVar("AnyCode", bound=Code)
AnyFlags = TypeVar("AnyFlags", bound=Flags)
AnyGroups = TypeVar("AnyGroups", bound=TwoBitFields)
AnyRecord = TypeVar("AnyRecord", bound=Record)


_numbers: dict[tuple[int, str], int] = {}  # by the identity of the enumeration's names, which are never freed


def code(cls: type[AnyCode], key: str) -> AnyCode:
    """Return the number that an enumeration calls `key`; KeyError if there is none."""
    return cls(_number(cls.names, key))


def flag_mask(cls: type[AnyFlags], *keys: str) -> AnyFlags:
    """Return the mask with the bits that an enumeration calls `keys`."""
    return cls(sum(1 << _number(cls.names, key) for key in keys))


def groups(cls: type[AnyGroups], **states: str) -> AnyGroups:
    """Return two-bit groups by name and state, such as `contactor="yes"`."""
    return cls(sum(cls.states.index(state) << 2 * _number(cls.names, key) for key, state in states.items()))


def _number(names: Mapping[int, Name], key: str) -> int:
    place = (id(names), key)
    if place not in _numbers:
        _numbers.update({(id(names), name.key): number for number, name in names.items()})
    return _numbers[place]


@cache
def _limits(row: Row) -> tuple[float, float]:
    """Return the lowest and highest value of a row that is not the pattern of "not available"."""
    lowest, highest = (1 << (row.bits - 1), (1 << (row.bits - 1)) - 1) if row.signed else (0, row.mask)
    while highest in row.na:
        highest -= 1
    first, last = sorted((row.value(lowest), row.value(highest)))
    return first, last


def fit(cls: type[AnyRecord], **values: Any) -> AnyRecord:
    """Return a record of these values, each rounded to its row's step and held within its limits: it always encodes.

    Rows left out are absent, bits without a meaning are ones: a receiver decodes an equal record.
    """
    fitted = {row.name: _fitted(row, values[row.name]) for row in cls.rows if row.name in values}
    return cls(**fitted, **{row.name: row.mask for row in cls.rows if row.hidden and _is_sent(row, fitted)})


def _is_sent(row: Row, values: Mapping[str, Any]) -> bool:
    return row.when is None or values.get(row.when[0]) in row.when[1]


def _fitted(row: Row, value: Any) -> Any:
    if value is None or row.raw:
        return value
    if row.count > 1:
        return tuple(None if element is None else _number_fitted(row, element) for element in value)
    return row.named(value) if row.named is not None else _number_fitted(row, value)


def _number_fitted(row: Row, value: float) -> Any:
    low, high = _limits(row)
    value = min(max(value, low), high)
    if row.pieces:
        return min(_choices(row), key=lambda choice: abs(choice - value))
    raw = row.scale.raw(value)
    while raw & row.mask in row.na:
        raw += 1  # a second pattern for "not available" lies among the values: 327.67 V of an Orion XS
    return row.scale.value(raw)


@cache
def _choices(row: Row) -> tuple[float, ...]:
    """Return every value of a short row."""
    return tuple(row.value(raw) for raw in range(row.mask + 1) if raw not in row.na)
