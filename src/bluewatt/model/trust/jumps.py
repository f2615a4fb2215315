"""What surprises in a sample after the one before it: row by row, where the quick checks of `doubt` fail.

In a checked sample a surprise is marked. An unchecked sample with a surprise is held until the next one agrees.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Any

from bluewatt.model.trust.doubt import is_within, record_checks
from bluewatt.model.trust.key_trial import KeyTrial
from bluewatt.model.trust.unnamed_codes import unfamiliar
from bluewatt.schema import Record, Row
from bluewatt.tables.metrics import metric

NONCES = 1 << 16
"""Number of different nonces."""
NONCE_LEAP = 200
"""Steps of the nonce beyond which it is garbled or the device has restarted; it counts about once a second."""
JUMP_SECONDS = 60.0
"""Seconds of silence after which any value can be true."""


def marks(last: KeyTrial | None, base: KeyTrial | None, opened: KeyTrial, heard: float) -> tuple[str, ...]:
    """Return the metrics of a sample that surprise: codes nobody has named that are new, and numbers that jumped.

    A number has jumped if it is far from the `last` sample, which was last heard at `heard`, and also far from `base`,
    the last sample without a mark (None if `last` has none). So the return from a spike is no surprise.
    """
    record, seconds = opened.record, abs(opened.frame.at - heard)
    if last is None or type(last.record) is not type(record) or seconds > JUMP_SECONDS:
        return tuple(name for name, _ in unfamiliar(None, record))
    if record_checks(type(record)).steady(last.values, opened.values):
        return ()
    jumped = [name for name, _ in jumps(last.record, record, seconds)]
    if jumped and base is not None and type(base.record) is type(record):
        far = {name for name, _ in jumps(base.record, record, abs(opened.frame.at - base.frame.at))}
        jumped = [name for name in jumped if name in far]
    return (*(name for name, _ in unfamiliar(last.record, record)), *jumped)


def why_held(before: KeyTrial | None, opened: KeyTrial, heard: float) -> str | None:
    """Return why an unchecked sample is not believed at once after the one before; None if it is believed."""
    record, seconds = opened.record, abs(opened.frame.at - heard)
    if before is None or seconds > JUMP_SECONDS:
        return "the record is cut short" if opened.is_short else _first(unfamiliar(None, record))
    if type(before.record) is not type(record):
        return f"the record type changed to {record.title.lower()}"
    if opened.is_short and len(before.frame.payload) != len(opened.frame.payload):
        return "the record is cut short"
    if (opened.nonce - before.nonce) % NONCES > NONCE_LEAP:
        return "the nonce jumped"
    if record_checks(type(record)).steady(before.values, opened.values):
        return None
    surprises = (unfamiliar(before.record, record), appeared(before.record, record))
    return _first(chain(*surprises, jumps(before.record, record, seconds)))


def agree(held: KeyTrial, following: KeyTrial) -> bool:
    """Return whether a sample confirms the one held before it: neither surprises after the other."""
    if why_held(held, following, held.frame.at) is not None:
        return False
    back = (unfamiliar(following.record, held.record), appeared(following.record, held.record))
    return _first(chain(*back)) is None


def _first(surprises: Iterator[tuple[str, str]]) -> str | None:
    """Return the sentence about the first surprise; None without one."""
    return next((sentence for _, sentence in surprises), None)


def jumps(before: Record, record: Record, seconds: float = 1.0) -> Iterator[tuple[str, str]]:
    """Yield each number that changed further than its metric does in so many seconds, and a sentence about it.

    Both records are of one class. A value that was absent before has not jumped.
    """
    for row in record.rows:
        limits = metric(row.name)
        if limits is None or limits.jump is None:
            continue
        old, new = getattr(before, row.name), getattr(record, row.name)
        if not (is_within(new, limits) and is_within(old, limits)):
            continue  # an impossible value is taken out anyway
        if _distance(old, new) > limits.jump * max(1.0, seconds):
            yield row.name, f"{row.name} jumped from {old} to {new} {row.unit}".rstrip()


def appeared(before: Record, record: Record) -> Iterator[tuple[str, str]]:
    """Yield each number that is present and was absent before, and a sentence about it."""
    for row in record.rows:
        if _has_jump_limit(row) and getattr(before, row.name) is None and getattr(record, row.name) is not None:
            yield row.name, f"{row.name} appeared"


def _has_jump_limit(row: Row) -> bool:
    limits = metric(row.name)
    return limits is not None and limits.jump is not None


def _distance(old: Any, new: Any) -> float:
    """Return how far two values, or those elements of two lists that moved furthest, are apart; 0 if one is absent."""
    if isinstance(new, tuple) and isinstance(old, tuple):
        return max(map(_distance, old, new), default=0.0)
    return 0.0 if old is None or new is None else float(abs(new - old))
