"""Is this record what a device would send, or what a wrong key makes of it? Answered in bits of evidence.

There is no checksum in an advertisement, and the key check is one byte. But a wrong key gives random bits, and random
bits seldom make a record: a state nobody has named, 300 V in the battery, spare bits that are not ones. For each row
the table tells which share of all bit patterns is possible, so each row that passes is worth log2(1 / share) bits for
the key, and one that fails is worth that much against it. The bits of all rows add up; over several advertisements
they decide (model/receiver.py). A device with a broken sensor fails one row for ever and still convinces by the rest.
"""

from __future__ import annotations

from functools import cache
from math import comb, log2
from typing import Any

import msgspec
from msgspec.structs import astuple

from bluewatt.model.screen import is_familiar, is_within, screen, usual_bits
from bluewatt.schema import Flags, Groups, Record, Row
from bluewatt.tables.metrics import Metric, metric

FAULTY = 1 / 50
"""How often a genuine row is impossible: a broken sensor, an unknown number of new firmware."""
KEY_CHECK_BITS = 8.0
"""What the one-byte key check is worth."""


class Judgement(msgspec.Struct, frozen=True, gc=False):
    """What the content of one record says."""

    evidence: float
    """Bits for (above 0) or against the key that opened it."""
    impossible: dict[str, Any]
    """The values that cannot be true, by row."""


_NOTHING: dict[str, Any] = {}


class _Weight(msgspec.Struct, frozen=True, gc=False):
    """What one row is worth when it passes and when it fails."""

    row: Row
    metric: Metric | None
    passes: float
    fails: float


@cache
def _weights(cls: type[Record]) -> tuple[_Weight, ...]:
    return tuple(_weight(row, metric(row.name)) for row in cls.rows if not (row.hidden or row.raw))


def _weight(row: Row, limits: Metric | None) -> _Weight:
    share = _possible_share(row, limits)
    if share == 1:
        return _Weight(row, limits, 0.0, 0.0)
    # An overlay is there only in one mode of its selector, so that it passes says nothing.
    passes = 0.0 if row.when is not None else log2((1 - FAULTY) / share)
    return _Weight(row, limits, passes, min(log2(FAULTY / (1 - share)), 0.0))


def _possible_share(row: Row, limits: Metric | None) -> float:
    """The share of all bit patterns of a row that a device could send."""
    patterns = 1 << row.bits
    if row.named is not None and issubclass(row.named, Flags):
        known = len(row.named.names) or row.bits
        return sum(comb(known, bits) for bits in range(min(usual_bits(known), known) + 1)) / patterns
    if row.named is not None and issubclass(row.named, Groups):
        return float(4 ** min(len(row.named.names), row.bits // 2)) / patterns
    if row.named is not None:
        named = {number & row.mask for number in row.named.names if -patterns < number < patterns}
        return len(named | set(row.na)) / patterns
    if limits is None or limits.low is None or limits.high is None or row.pieces:
        return 1.0
    return _share_of_span(row, limits.low, limits.high)


def _share_of_span(row: Row, low: float, high: float) -> float:
    first, last = sorted((row.scale.raw(low), row.scale.raw(high)))
    lowest, highest = (-(1 << (row.bits - 1)), row.mask >> 1) if row.signed else (0, row.mask)
    possible = min(last, highest) - max(first, lowest) + 1 + len(row.na)
    return min(1.0, max(possible, 1) / (1 << row.bits)) ** row.count


def judge(record: Record, *, spare: bool | None = None) -> Judgement:
    """Weigh a record; `spare` is whether its unused last bits are all ones, None where they were not looked at."""
    cls = type(record)
    evidence = 0.0 if spare is None else _spare_evidence(cls, ones=spare)
    if screen(cls).possible(astuple(record)):
        return Judgement(evidence + _all_pass(cls), _NOTHING)
    impossible: dict[str, Any] = {}
    for weight in _weights(cls):
        value = getattr(record, weight.row.name)
        if weight.row.named is not None:
            evidence += weight.passes if is_familiar(value) else weight.fails
        elif is_within(value, weight.metric):
            evidence += weight.passes
        else:
            impossible[weight.row.name] = value
            evidence += weight.fails
    return Judgement(evidence, impossible)


@cache
def _all_pass(cls: type[Record]) -> float:
    """The evidence of a record in which every row passes."""
    return sum(weight.passes for weight in _weights(cls))


@cache
def _spare_evidence(cls: type[Record], *, ones: bool) -> float:
    """The unused bits of the last byte: an honest device sets them to ones."""
    width = 8 * cls.length() - cls.bits
    if not width:
        return 0.0
    return float(width) if ones else log2(FAULTY)


LIKE_BITS = 16.0
"""What it is worth that a record of unknown layout is like the one before it."""


def judge_likeness(before: bytes | None, now: bytes) -> Judgement:
    """Weigh a record of unknown layout by the one before it, opened with the same key.

    A device says nearly the same from one second to the next; a wrong key makes other random bits of it each time, of
    which half differ. Fewer than a quarter differing is beyond chance in any record of some length.
    """
    if before is None or len(before) != len(now):
        return Judgement(0.0, _NOTHING)
    differing = (int.from_bytes(before, "little") ^ int.from_bytes(now, "little")).bit_count()
    return Judgement(LIKE_BITS if differing < 2 * len(now) else -LIKE_BITS, _NOTHING)
