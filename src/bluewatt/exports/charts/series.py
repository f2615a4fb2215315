"""What a report remembers of a capture: numbers over time in bounded memory, and the bytes of unknown registers."""

from __future__ import annotations

from collections import Counter

MOST_POINTS = 2048
"""Points of a series kept; then every second one is forgotten."""
MOST_BYTES = 256
"""Different contents kept of an unknown register."""

Point = tuple[float, float]
"""A time and a value."""


class Series:
    """One quantity of one device over time."""

    def __init__(self, name: str, unit: str) -> None:
        self.name = name
        self.unit = unit
        self.count = 0
        self.points: list[Point] = []
        self._stride = 1

    def add(self, at: float, value: float) -> None:
        """One more value; of long series only every so many-th is kept."""
        if self.count % self._stride == 0:
            self.points.append((at, value))
            if len(self.points) > MOST_POINTS:
                self.points = self.points[::2]
                self._stride *= 2
        self.count += 1

    @property
    def lowest(self) -> float:
        """The smallest value kept."""
        return min(value for _, value in self.points)

    @property
    def highest(self) -> float:
        """The largest value kept."""
        return max(value for _, value in self.points)

    def near(self, at: float) -> float | None:
        """The value kept that is nearest in time."""
        best = min(self.points, key=lambda point: abs(point[0] - at), default=None)
        return None if best is None else best[1]


class UnknownRegister:
    """The contents of a register nobody has described, in their order."""

    def __init__(self, register: int, instance: int | None) -> None:
        self.register = register
        self.instance = instance
        self.count = 0
        self.counts: Counter[bytes] = Counter()
        self.changes: list[tuple[float, bytes]] = []
        """When its content changed, and to what."""

    def add(self, at: float, raw: bytes) -> None:
        """One more content."""
        self.count += 1
        if raw in self.counts or len(self.counts) < MOST_BYTES:
            self.counts[raw] += 1
        if (not self.changes or self.changes[-1][1] != raw) and len(self.changes) < MOST_BYTES:
            self.changes.append((at, raw))
