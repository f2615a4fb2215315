"""Numbers over time in bounded memory, and the contents of unknown registers: what a report keeps of a capture."""

from __future__ import annotations

from collections import Counter

MOST_POINTS = 2048
"""Points kept of a series; if there are more, every second one is dropped."""
MOST_CONTENTS = 256
"""Different contents, and changes, kept of an unknown register."""

Point = tuple[float, float]
"""A time in seconds since 1970, and a value."""


class Series:
    """One quantity of one device over time."""

    def __init__(self, name: str, unit: str) -> None:
        self.name = name
        self.unit = unit
        self.count = 0
        self.points: list[Point] = []
        self._stride = 1

    def add(self, at: float, value: float) -> None:
        """Add a value. Of a long series only every second, fourth, eighth … is kept."""
        if self.count % self._stride == 0:
            self.points.append((at, value))
            if len(self.points) > MOST_POINTS:
                self.points = self.points[::2]
                self._stride *= 2
        self.count += 1

    @property
    def lowest(self) -> float:
        """Return the smallest value kept."""
        return min(value for _, value in self.points)

    @property
    def highest(self) -> float:
        """Return the largest value kept."""
        return max(value for _, value in self.points)

    def near(self, at: float) -> float | None:
        """Return the value kept that is nearest in time; None if there is none."""
        best = min(self.points, key=lambda point: abs(point[0] - at), default=None)
        return None if best is None else best[1]


class UnknownRegister:
    """The contents of a register that nobody has described, in their order."""

    def __init__(self, register: int, instance: int | None) -> None:
        self.register = register
        self.instance = instance
        self.count = 0
        self.counts: Counter[bytes] = Counter()
        self.changes: list[tuple[float, bytes]] = []
        """Times at which the content changed, and the new contents."""

    def add(self, at: float, raw: bytes) -> None:
        """Add a content that was seen."""
        self.count += 1
        if raw in self.counts or len(self.counts) < MOST_CONTENTS:
            self.counts[raw] += 1
        if (not self.changes or self.changes[-1][1] != raw) and len(self.changes) < MOST_CONTENTS:
            self.changes.append((at, raw))
