"""Charts as inline SVG: a quantity over time, and a timeline. They load no script and no style."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from html import escape
from typing import NamedTuple

from bluewatt.exports.charts.series import Point, Series
from bluewatt.model.json_objects import utc_text

WIDTH, HEIGHT = 360, 110
"""Size of a chart in units of its view box."""
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 8, 10, 20
_LANE, _LABEL = 22, 190
_TIMELINE_WIDTH = 1080
_LONGEST_LABEL = 28
_GAP_FACTOR = 20
"""Usual intervals after which a silence breaks the line: nothing is drawn where nothing was heard."""


class Lane(NamedTuple):
    """One row of the timeline: spans in which something lasted, moments at which something was heard."""

    label: str
    spans: Sequence[tuple[float, float]]
    moments: Sequence[float]


def line_chart(series: Series) -> str:
    """Return the chart of a series with its lowest and highest value and its times; long silences are drawn short."""
    low, high = series.lowest, series.highest
    pad = (high - low) * 0.05 or max(abs(high) * 0.02, 0.5)
    bottom, top = low - pad, high + pad
    drawn = []
    for run, left, width in _placed(_runs(series.points)):
        first, span = run[0][0], (run[-1][0] - run[0][0]) or 1.0
        places = [
            f"{left + (at - first) / span * width:.1f},"
            f"{_TOP + (top - value) / (top - bottom) * (HEIGHT - _TOP - _BOTTOM):.1f}"
            for at, value in run
        ]
        drawn.append(f'<polyline points="{" ".join(places)}"/>' if len(places) > 1 else _dot(places[0]))
    label = f"{series.name} from {_number(low)} to {_number(high)} {series.unit}".rstrip()
    return (
        f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(label)}">'
        f'<path class="axis" d="M{_LEFT} {_TOP}V{HEIGHT - _BOTTOM}H{WIDTH - _RIGHT}"/>'
        f'<text x="{_LEFT - 6}" y="{_TOP + 8}" text-anchor="end">{_number(high)}</text>'
        f'<text x="{_LEFT - 6}" y="{HEIGHT - _BOTTOM}" text-anchor="end">{_number(low)}</text>'
        f'<text x="{_LEFT}" y="{HEIGHT - 5}">{_clock(series.points[0][0])}</text>'
        f'<text x="{WIDTH - _RIGHT}" y="{HEIGHT - 5}" text-anchor="end">{_clock(series.points[-1][0])}</text>'
        f"{''.join(drawn)}</svg>"
    )


def _placed(runs: list[list[Point]]) -> Iterator[tuple[list[Point], float, float]]:
    """Yield each run with its left edge and its width, which is proportional to its duration."""
    lengths = [max(run[-1][0] - run[0][0], 0.0) for run in runs]
    gap = min(8.0, (WIDTH - _LEFT - _RIGHT) / (2 * len(runs)))
    width_left, total = WIDTH - _LEFT - _RIGHT - gap * (len(runs) - 1), sum(lengths)
    left = float(_LEFT)
    for run, length in zip(runs, lengths, strict=True):
        width = width_left * length / total if total else width_left / len(runs)
        yield run, left, width
        left += width + gap


def _dot(place: str) -> str:
    x, y = place.split(",")
    return f'<circle cx="{x}" cy="{y}" r="2.5"/>'


def _runs(points: Sequence[Point]) -> list[list[Point]]:
    """Return the points in runs: a new one begins after a long silence, or if the time goes backwards."""
    steps = sorted(after[0] - before[0] for before, after in itertools.pairwise(points))
    usual = steps[len(steps) // 2] if steps else 0.0
    runs = [[points[0]]]
    for point in points[1:]:
        step = point[0] - runs[-1][-1][0]
        if step < 0 or (usual and step > _GAP_FACTOR * usual):
            runs.append([])
        runs[-1].append(point)
    return runs


def timeline(lanes: Sequence[Lane], first: float, last: float) -> str:
    """Return the timeline of a capture, a row per lane; `first` and `last` are its ends in seconds since 1970."""
    height = _LANE * len(lanes) + _BOTTOM
    span = (last - first) or 1.0

    def x(at: float) -> float:
        return _LABEL + (at - first) / span * (_TIMELINE_WIDTH - _LABEL - _RIGHT)

    parts = [f'<svg class="timeline" viewBox="0 0 {_TIMELINE_WIDTH} {height}" role="img" aria-label="Timeline">']
    for row, lane in enumerate(lanes):
        top = row * _LANE
        name = lane.label if len(lane.label) <= _LONGEST_LABEL else lane.label[: _LONGEST_LABEL - 1] + "…"
        parts.append(f'<text x="{_LABEL - 8}" y="{top + 15}" text-anchor="end">{escape(name)}</text>')
        parts.append(f'<path class="grid" d="M{_LABEL} {top + _LANE}H{_TIMELINE_WIDTH - _RIGHT}"/>')
        for begin, end in lane.spans:
            width = max(x(end) - x(begin), 2)
            parts.append(f'<rect x="{x(begin):.1f}" y="{top + 5}" width="{width:.1f}" height="12" rx="3"/>')
        marks = sorted({round(x(at), 0) for at in lane.moments})
        if marks:
            parts.append(f'<path class="tick" d="{"".join(f"M{mark:g} {top + 5}v12" for mark in marks)}"/>')
    parts.append(f'<text x="{_LABEL}" y="{height - 5}">{_clock(first)}</text>')
    parts.append(f'<text x="{_TIMELINE_WIDTH - _RIGHT}" y="{height - 5}" text-anchor="end">{_clock(last)}</text>')
    return "".join(parts) + "</svg>"


def _number(value: float) -> str:
    return f"{value:.6g}"


def _clock(at: float) -> str:
    return utc_text(at)[11:19]
