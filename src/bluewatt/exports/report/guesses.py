"""Guesses what an unknown register holds, from how its bytes change; each has its reason, and none is certain."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator

from bluewatt.exports.charts.series import Series, UnknownRegister

_WIDTHS = (1, 2, 4, 8)
_TOLERANCE = 0.02
_ENOUGH = 3
"""Characters of a text, or samples of a series, below which nothing is guessed."""
_SCALES = (1.0, 0.1, 0.01, 0.001)
_YEAR_2015, _YEAR_2040 = 1_420_000_000, 2_209_000_000
_MOST_COMPARED = 32
"""Samples compared with a known quantity."""


def guesses(unknown: UnknownRegister, known: Iterable[Series]) -> Iterator[str]:
    """Yield the guesses about a register, the surest first; `known` are the quantities it may repeat."""
    contents = [raw for _, raw in unknown.changes]
    if len({*contents}) == 1:
        yield "constant" if unknown.count > 1 else "seen once"
    text = _text(contents)
    if text:
        yield f"text: {text!r}"
    if len({len(raw) for raw in contents}) != 1 or len(contents[0]) not in _WIDTHS:
        if not text:
            yield "a record, or bytes without a number in them"
        return
    yield from _number_guesses(unknown, known)


def _text(contents: list[bytes]) -> str:
    """Return the content as text if all of it is printable."""
    last = contents[-1].rstrip(b"\0\xff")
    return last.decode("ascii") if len(last) >= _ENOUGH and last.isascii() and last.decode().isprintable() else ""


def _number_guesses(unknown: UnknownRegister, known: Iterable[Series]) -> Iterator[str]:
    numbers = [(at, int.from_bytes(raw, "little")) for at, raw in unknown.changes]
    size = len(unknown.changes[0][1])
    blank = (1 << 8 * size) - 1
    if all(number in (blank, blank >> 1) for _, number in numbers):
        yield "not available: all ones, as for a sensor that is not there"
        return
    steps = [after - before for (_, before), (_, after) in itertools.pairwise(numbers)]
    if len(steps) >= _ENOUGH and all(step > 0 for step in steps):
        seconds = numbers[-1][0] - numbers[0][0]
        pace = (numbers[-1][1] - numbers[0][1]) / seconds if seconds else 0.0
        yield f"counter: goes up only, {pace:.3g} a second"
    if size == 4 and all(_YEAR_2015 < number < _YEAR_2040 for _, number in numbers):
        yield "a date: seconds since 1970"
    yield from _similar_quantities(numbers, size, known)


def _similar_quantities(numbers: list[tuple[float, int]], size: int, known: Iterable[Series]) -> Iterator[str]:
    """Yield the known quantities that have the same numbers at the same times."""
    if len(numbers) < _ENOUGH:
        return
    half, whole = 1 << 8 * size - 1, 1 << 8 * size
    signed = [(at, number - whole if number >= half else number) for at, number in numbers]
    for series in known:
        for scale in _SCALES:
            if _is_similar(signed, scale, series):
                yield f"looks like {series.name}: the same numbers at {scale:g} {series.unit}".rstrip()
                break


def _is_similar(numbers: list[tuple[float, int]], scale: float, series: Series) -> bool:
    if len(series.points) < _ENOUGH or series.lowest == series.highest:
        return False
    for at, number in numbers[:_MOST_COMPARED]:
        value = series.near(at)
        if value is None or abs(number * scale - value) > _TOLERANCE * max(abs(value), abs(number * scale)):
            return False
    return True
