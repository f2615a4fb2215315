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
from bluewatt.wire.row_compiler import compiled, construction, source

SET_BITS = 4
"""Masks of warnings and reasons rarely have more bits set than this, or than a quarter of those that have a name."""
KEPT_ANSWERS = 4096

RecordValues = tuple[Any, ...]


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


class RecordChecks(msgspec.Struct, frozen=True):
    """The two questions for one record class; values are those of `msgspec.structs.astuple`."""

    usual: Callable[[RecordValues], bool]
    """Every number where the values of its metric usually lie, every code and mask familiar."""
    steady: Callable[[RecordValues, RecordValues], bool]
    """(before, now): no number jumped or appeared, and no unfamiliar code or mask is new."""


@cache
def record_checks(cls: type[Record]) -> RecordChecks:
    """Return the questions for a record class."""
    asked, names = _asked(cls), _names(cls)
    usual = [part for index, row in asked for part in _usual(index, row, f"n[{index}]")]
    steady = [part for index, row in asked for part in _steady(index, row, f"n[{index}]")]
    return RecordChecks(
        compiled("usual_values", "n", [_answer(usual)], dict(names)),
        compiled("steady_values", "b, n", [_answer(steady)], dict(names)),
    )


def _asked(cls: type[Record]) -> list[tuple[int, Row]]:
    return [(index, row) for index, row in enumerate(cls.rows) if not (row.hidden or row.raw)]


def _names(cls: type[Record]) -> dict[str, Any]:
    """The names the conditions use; a table for each coded row: a state 3 and an error 3 are equal as numbers."""
    familiar = {f"familiar{index}": _Familiar() for index, row in _asked(cls) if row.named is not None}
    return {"usual": is_usual, "limits": METRICS} | familiar


def _answer(conditions: list[str]) -> str:
    return f"return {' and '.join(conditions) or True}"


@cache
def picker(cls: type[Record]) -> Callable[[int, RecordValues], tuple[Record, RecordValues] | None]:
    """Return the decoder with both questions in it: (the bits of a record, the values before) → record and values.

    None where an answer is no. Asked before the record is made, in one call, since nearly all samples take this way.
    Not for records of unknown layout.
    """
    lines, known = source(cls)
    conditions = [part for index, row in _asked(cls) for part in _usual(index, row, f"v{index}")]
    # A familiar code is steady, too.
    numbers = [(index, row) for index, row in _asked(cls) if row.named is None]
    conditions += [part for index, row in numbers for part in _steady(index, row, f"v{index}")]
    values = "".join(f"v{index}, " for index in range(len(cls.rows)))
    made = f"return ({construction(cls)}, ({values})) if {' and '.join(conditions) or True} else None"
    picked: Callable[[int, RecordValues], tuple[Record, RecordValues] | None]
    picked = compiled("pick", "n, b", [*lines, made], _names(cls) | known | {"cls": cls})
    return picked


def _usual(index: int, row: Row, now: str) -> list[str]:
    """The conditions for a usual value, in the expression `now`."""
    if row.named is not None:
        return [f"familiar{index}[{now}]"]
    if row.count > 1:
        return [f"usual({now}, limits['{row.name}'])"]
    span = usual_span(metric(row.name))
    return [] if span is None else [f"({now} is None or {span[0]} <= {now} <= {span[1]})"]


def _steady(index: int, row: Row, now: str) -> list[str]:
    """The conditions for a steady value, in the expression `now`, after `b[index]`."""
    before = f"b[{index}]"
    if row.named is not None:
        return [f"(familiar{index}[{now}] or {now} == {before})"]
    if row.count > 1:
        return [f"{now} == {before}"]
    limits = metric(row.name)
    if limits is None or limits.jump is None:
        return []
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
