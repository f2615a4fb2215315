"""Two quick checks of a record, compiled from the table: are all its values usual, and are they steady?

Nearly every sample passes both, so they come first, each as one expression over the values of the record. Only a record
that fails is looked at row by row (model/trust/evidence.py, model/trust/jumps.py), to find which value it was.
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
"""Bits that are set at most, usually, in a mask of warnings or reasons with fewer than 20 named bits."""
KEPT_ANSWERS = 4096
"""Values of a row for which the answer is kept."""

RecordValues = tuple[Any, ...]
"""The values of a record in the order of its rows, as `msgspec.structs.astuple` gives them."""


def usual_bits(named: int) -> int:
    """Return how many bits are set at most, usually, in a mask with `named` named bits."""
    return max(SET_BITS, named // 4)


def is_familiar(value: Any) -> bool:
    """Return whether an enumeration names the value; for a mask, also whether no more bits are set than usual.

    If an enumeration has no names at all, every value is familiar.
    """
    if value is None or not value.names:
        return True
    crowded = isinstance(value, Flags) and int(value).bit_count() > usual_bits(len(value.names))
    return bool(value.known) and not crowded


class _FamiliarCache(dict[Any, bool]):
    """Value → whether it is familiar, worked out on first use."""

    def __missing__(self, value: Any) -> bool:
        answer = is_familiar(value)
        if len(self) < KEPT_ANSWERS:
            self[value] = answer
        return answer


class RecordChecks(msgspec.Struct, frozen=True):
    """The two checks for one record class."""

    usual: Callable[[RecordValues], bool]
    """Whether every number lies where its metric usually does, and every code and mask is familiar."""
    steady: Callable[[RecordValues, RecordValues], bool]
    """Whether, from one record to the next, no number jumped or appeared and no unfamiliar code or mask is new."""


@cache
def record_checks(cls: type[Record]) -> RecordChecks:
    """Return the checks for a record class."""
    rows, names = _checked_rows(cls), _names(cls)
    usual = [part for index, row in rows for part in _usual(index, row, f"n[{index}]")]
    steady = [part for index, row in rows for part in _steady(index, row, f"n[{index}]")]
    return RecordChecks(
        compiled("usual_values", "n", [_all_of(usual)], dict(names)),
        compiled("steady_values", "b, n", [_all_of(steady)], dict(names)),
    )


def _checked_rows(cls: type[Record]) -> list[tuple[int, Row]]:
    return [(index, row) for index, row in enumerate(cls.rows) if not (row.hidden or row.raw)]


def _names(cls: type[Record]) -> dict[str, Any]:
    """Return the names in the conditions; each coded row has a cache, as a state 3 and an error 3 are equal numbers."""
    familiar = {f"familiar{index}": _FamiliarCache() for index, row in _checked_rows(cls) if row.named is not None}
    return {"usual": is_usual, "limits": METRICS} | familiar


def _all_of(conditions: list[str]) -> str:
    return f"return {' and '.join(conditions) or True}"


@cache
def picker(cls: type[Record]) -> Callable[[int, RecordValues], tuple[Record, RecordValues] | None]:
    """Return the decoder with both checks in it: (the bits of a record, the values before) → record and values.

    The decoder returns None if a check fails. It checks before the record is made, in one call, because nearly all
    samples take this way. Not for records of unknown layout.
    """
    lines, known = source(cls)
    conditions = [part for index, row in _checked_rows(cls) for part in _usual(index, row, f"v{index}")]
    # A familiar code is steady, too.
    numbers = [(index, row) for index, row in _checked_rows(cls) if row.named is None]
    conditions += [part for index, row in numbers for part in _steady(index, row, f"v{index}")]
    values = "".join(f"v{index}, " for index in range(len(cls.rows)))
    made = f"return ({construction(cls)}, ({values})) if {' and '.join(conditions) or True} else None"
    picked: Callable[[int, RecordValues], tuple[Record, RecordValues] | None]
    picked = compiled("pick", "n, b", [*lines, made], _names(cls) | known | {"cls": cls})
    return picked


def _usual(index: int, row: Row, now: str) -> list[str]:
    """Return the conditions under which the expression `now` is a usual value."""
    if row.named is not None:
        return [f"familiar{index}[{now}]"]
    if row.count > 1:
        return [f"usual({now}, limits['{row.name}'])"]
    span = usual_span(metric(row.name))
    return [] if span is None else [f"({now} is None or {span[0]} <= {now} <= {span[1]})"]


def _steady(index: int, row: Row, now: str) -> list[str]:
    """Return the conditions under which the expression `now` is a steady value after `b[index]`."""
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
