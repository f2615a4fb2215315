"""Two quick questions about a record, compiled from the table: is everything in it possible, is it steady?

Nearly every sample passes both, so they are asked first, as one expression each over the values of the record; only
what fails is looked at row by row (model/plausibility.py, model/receiver.py) to learn which value it was.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import msgspec

from bluewatt.schema import Flags, Record, Row
from bluewatt.tables.metrics import METRICS, Metric, metric

SET_BITS = 4
"""Masks of warnings and reasons rarely have more bits set than this, or than a quarter of those that have a name."""
KEPT_ANSWERS = 4096

Values = tuple[Any, ...]


def usual_bits(named: int) -> int:
    """How many bits are set at most, usually, in a mask with so many named bits."""
    return max(SET_BITS, named // 4)


def is_familiar(value: Any) -> bool:
    """Whether an enumeration names the value, and a mask has no more bits set than masks usually have.

    Where nobody has named a single number, all are familiar.
    """
    if value is None or not value.names:
        return True
    crowded = isinstance(value, Flags) and int(value).bit_count() > usual_bits(len(value.names))
    return bool(value.known) and not crowded


class _Familiar(dict[Any, bool]):
    """Value → whether it is familiar, asked once."""

    def __missing__(self, value: Any) -> bool:
        answer = is_familiar(value)
        if len(self) < KEPT_ANSWERS:
            self[value] = answer
        return answer


class Screen(msgspec.Struct, frozen=True):
    """The two questions for one record class; values are those of `msgspec.structs.astuple`."""

    possible: Callable[[Values], bool]
    """Every number within the limits of its metric, every code and mask familiar."""
    steady: Callable[[Values, Values], bool]
    """(before, now): no number jumped, and no unfamiliar code or mask is new."""


@cache
def screen(cls: type[Record]) -> Screen:
    """The questions for a record class."""
    names: dict[str, Any] = {"within": is_within, "limits": METRICS}
    possible, steady = [], []
    for index, row in enumerate(cls.rows):
        if row.hidden or row.raw:
            continue
        if row.named is not None:
            names[f"familiar{index}"] = _Familiar()  # its own: a state 3 and an error 3 are equal as numbers
            possible.append(f"familiar{index}[n[{index}]]")
            steady.append(f"(familiar{index}[n[{index}]] or n[{index}] == b[{index}])")
        elif row.count == 1:
            possible += _within(index, row)
            steady += _close(index, row)
        else:
            possible.append(f"within(n[{index}], limits['{row.name}'])")
            steady.append(f"n[{index}] == b[{index}]")
    return Screen(_compiled("n", possible, names), _compiled("b, n", steady, names))


def _compiled(arguments: str, conditions: list[str], names: dict[str, Any]) -> Callable[..., bool]:
    made: Callable[..., bool] = eval(f"lambda {arguments}: {' and '.join(conditions) or True}", names)
    return made


def _within(index: int, row: Row) -> list[str]:
    limits = metric(row.name)
    if limits is None or limits.low is None or limits.high is None:
        return []
    return [f"(n[{index}] is None or {limits.low} <= n[{index}] <= {limits.high})"]


def _close(index: int, row: Row) -> list[str]:
    limits = metric(row.name)
    if limits is None or limits.jump is None:
        return []
    now, before = f"n[{index}]", f"b[{index}]"
    return [f"({now} is None or {before} is not None and -{limits.jump} <= {now} - {before} <= {limits.jump})"]


def is_within(value: Any, limits: Metric | None) -> bool:
    """Whether a number (None: absent, always possible), or each of several, lies within the limits of its metric."""
    if value is None or limits is None or limits.low is None or limits.high is None:
        return True
    if isinstance(value, tuple):
        return all(is_within(element, limits) for element in value)
    return bool(limits.low <= value <= limits.high)
