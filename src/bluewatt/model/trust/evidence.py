"""Evidence, in bits, that a record is what a device sent and not what a wrong key makes of it.

There is no checksum in an advertisement, and the key check is one byte. But a wrong key gives random bits, and random
bits seldom make a sensible record: they give a state nobody has named, 300 V in the battery, spare bits that are not
ones. The table says, for each row, which share of all bit patterns is usual. A row that passes is worth log2(1 / share)
bits for the key; one that fails is worth some bits against it. A row can also count for the key because it is as in the
record before (model/trust/likeness.py): the better of the two explanations counts, less one bit for the choice. The
bits of all rows are added, and over several advertisements they decide (model/trust/key_verdict.py). A device with a
broken sensor, or with a state nobody has named, always fails one row and is still believed.
"""

from __future__ import annotations

from functools import cache
from math import comb, log2
from typing import Any

import msgspec
from msgspec.structs import astuple

from bluewatt.model.trust.doubt import is_familiar, is_usual, is_within, record_checks, usual_bits, usual_span
from bluewatt.model.trust.likeness import bytes_likeness, row_likeness
from bluewatt.schema import Flags, Record, Row, TwoBitFields
from bluewatt.tables.metrics import Metric, metric

FAULTY = 1 / 50
"""Share of genuine rows that are unusual, through a broken sensor or a number of new firmware; our estimate."""
KEY_CHECK_BITS = 8.0
"""Evidence of the one-byte key check, bits."""
CHOICE_BITS = -1.0
"""Evidence deducted for taking the better of two explanations, bits."""
SEVERAL_FAIL = -8.0
"""Bits of evidence that only several failing rows can go below: the record is garbled, or the key is wrong."""


class Judgement(msgspec.Struct, frozen=True, gc=False):
    """What the content of one record says about its key and its values."""

    evidence: float
    """Bits of evidence for (above 0) or against the key that opened it."""
    impossible: dict[str, Any]
    """The values that cannot be true, by row."""
    incredible: bool = False
    """Whether several rows fail together, so that the whole record is in doubt, not a single value."""


_NOTHING: dict[str, Any] = {}


class _Weight(msgspec.Struct, frozen=True, gc=False):
    """The evidence of one row, in bits, if it passes and if it fails."""

    row: Row
    metric: Metric | None
    passes: float
    fails: float


@cache
def _weights(cls: type[Record]) -> tuple[_Weight, ...]:
    return tuple(_weight(row, metric(row.name)) for row in cls.rows if not (row.hidden or row.raw))


def _weight(row: Row, limits: Metric | None) -> _Weight:
    share = _usual_share(row, limits)
    if share == 1:
        return _Weight(row, limits, 0.0, 0.0)
    # An overlay exists only in one mode of its selector; passing proves nothing.
    passes = 0.0 if row.when is not None else log2((1 - FAULTY) / share)
    return _Weight(row, limits, passes, min(log2(FAULTY / (1 - share)), 0.0))


def _usual_share(row: Row, limits: Metric | None) -> float:
    """Return the share of all bit patterns of a row that devices usually send."""
    patterns = 1 << row.bits
    if row.named is not None and issubclass(row.named, Flags):
        known = len(row.named.names) or row.bits
        return sum(comb(known, bits) for bits in range(min(usual_bits(known), known) + 1)) / patterns
    if row.named is not None and issubclass(row.named, TwoBitFields):
        return float(4 ** min(len(row.named.names), row.bits // 2)) / patterns
    if row.named is not None:
        named = {number & row.mask for number in row.named.names if -patterns < number < patterns}
        return len(named | set(row.na)) / patterns
    span = usual_span(limits)
    return 1.0 if span is None or row.pieces else _share_of_span(row, *span)


def _share_of_span(row: Row, low: float, high: float) -> float:
    first, last = sorted((row.scale.raw(low), row.scale.raw(high)))
    lowest, highest = (-(1 << (row.bits - 1)), row.mask >> 1) if row.signed else (0, row.mask)
    possible = min(last, highest) - max(first, lowest) + 1 + len(row.na)
    return min(1.0, max(possible, 1) / (1 << row.bits)) ** row.count


def judge(
    record: Record, *, spare: bool | None = None, length: int | None = None, before: Record | None = None
) -> Judgement:
    """Return the judgement on a record.

    `spare` says whether its unused last bits are all ones; None if they were not looked at. `length` is the number of
    its bytes if there are fewer than the layout has: missing rows say nothing. `before` is the last whole record of the
    same class that the same key opened, with another nonce; None without one.
    """
    cls = type(record)
    if cls.rows and cls.rows[0].raw:
        name = cls.rows[0].name
        evidence = bytes_likeness(getattr(before, name), getattr(record, name)) if before is not None else 0.0
        return Judgement(evidence, _NOTHING, evidence < SEVERAL_FAIL)
    evidence = 0.0 if spare is None else _spare_evidence(cls, ones=spare)
    if before is None and length is None and record_checks(cls).usual(astuple(record)):
        return Judgement(evidence + _all_pass(cls), _NOTHING)
    impossible: dict[str, Any] = {}
    for weight in _weights(cls):
        if length is not None and weight.row.end > 8 * length:
            break
        evidence += _row_evidence(weight, record, before)
        value = getattr(record, weight.row.name)
        if weight.row.named is None and not is_within(value, weight.metric):
            impossible[weight.row.name] = value
    return Judgement(evidence, impossible or _NOTHING, evidence < _several_fail(cls))


def _row_evidence(weight: _Weight, record: Record, before: Record | None) -> float:
    """Return the evidence of one row: by its usual values, or by the record before."""
    value = getattr(record, weight.row.name)
    usual = is_familiar(value) if weight.row.named is not None else is_usual(value, weight.metric)
    content = weight.passes if usual else weight.fails
    if before is None:
        return content
    alike = row_likeness(weight.row.name, before, record)
    return content if alike is None else max(content, alike) + CHOICE_BITS


@cache
def _several_fail(cls: type[Record]) -> float:
    """Return `SEVERAL_FAIL`; for a record with few rows, half the evidence against it if all of them fail."""
    worst = sum(min(weight.fails, 0.0) + CHOICE_BITS for weight in _weights(cls))
    spare = 0.0 if not -cls.bits % 8 else _spare_evidence(cls, ones=False)
    return max(SEVERAL_FAIL, (worst + spare) / 2)


@cache
def _all_pass(cls: type[Record]) -> float:
    """Return the evidence of a record in which every row passes."""
    return sum(weight.passes for weight in _weights(cls))


@cache
def _spare_evidence(cls: type[Record], *, ones: bool) -> float:
    """Return the evidence of the unused bits of the last byte, which a device sets to ones."""
    width = 8 * cls.length() - cls.bits
    if not width:
        return 0.0
    return float(width) if ones else log2(FAULTY)
