"""Two quick questions about a record, compiled from the table: is everything in it usual, is it steady?

Nearly every sample passes both, so they are asked first, as one expression each over the values of the record; only
what fails is looked at row by row (model/trust/evidence.py, model/trust/jumps.py) to learn which value it was.
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
    """Return how many bits are set at most, usually, in a mask with so many named bits."""
    return max(SET_BITS, named // 4)


def is_familiar(value: Any) -> bool:
    """Return whether an enumeration names the value, and a mask has no more bits set than masks usually have.

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

    usual: Callable[[Values], bool]
    """Every number where the values of its metric usually lie, every code and mask familiar."""
    steady: Callable[[Values, Values], bool]
    """(before, now): no number jumped or appeared, and no unfamiliar code or mask is new."""


@cache
def screen(cls: type[Record]) -> Screen:
    """Return the questions for a record class."""
    names: dict[str, Any] = {"usual": is_usual, "limits": METRICS}
    usual, steady = [], []
    for index, row in enumerate(cls.rows):
        if row.hidden or row.raw:
            continue
        if row.named is not None:
            names[f"familiar{index}"] = _Familiar()  # its own: a state 3 and an error 3 are equal as numbers
            usual.append(f"familiar{index}[n[{index}]]")
            steady.append(f"(familiar{index}[n[{index}]] or n[{index}] == b[{index}])")
        elif row.count == 1:
            usual += _usual(index, row)
            steady += _close(index, row)
        else:
            usual.append(f"usual(n[{index}], limits['{row.name}'])")
            steady.append(f"n[{index}] == b[{index}]")
    return Screen(_compiled("n", usual, names), _compiled("b, n", steady, names))


def _compiled(arguments: str, conditions: list[str], names: dict[str, Any]) -> Callable[..., bool]:
    made: Callable[..., bool] = eval(f"lambda {arguments}: {' and '.join(conditions) or True}", names)
    return made


def _usual(index: int, row: Row) -> list[str]:
    span = usual_span(metric(row.name))
    if span is None:
        return []
    return [f"(n[{index}] is None or {span[0]} <= n[{index}] <= {span[1]})"]


def _close(index: int, row: Row) -> list[str]:
    limits = metric(row.name)
    if limits is None or limits.jump is None:
        return []
    now, before = f"n[{index}]", f"b[{index}]"
    return [f"({now} is None or {before} is not None and -{limits.jump} <= {now} - {before} <= {limits.jump})"]


def usual_span(limits: Metric | None) -> tuple[float, float] | None:
    """Return the lowest and the highest value that are usual for a metric; None if nothing is known about them."""
    if limits is None or limits.low is None or limits.high is None:
        return None
    return limits.usual or (limits.low, limits.high)


def is_within(value: Any, limits: Metric | None) -> bool:
    """Return whether a number (None: absent), or each of several, lies within the limits of its metric."""
    if limits is None or limits.low is None or limits.high is None:
        return True
    return _lies_in(value, (limits.low, limits.high))


def is_usual(value: Any, limits: Metric | None) -> bool:
    """Return whether a number (None: absent), or each of several, lies where its metric usually does."""
    span = usual_span(limits)
    return span is None or _lies_in(value, span)


def _lies_in(value: Any, span: tuple[float, float]) -> bool:
    if value is None:
        return True
    if isinstance(value, tuple):
        return all(_lies_in(element, span) for element in value)
    return bool(span[0] <= value <= span[1])
