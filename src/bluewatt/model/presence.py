"""Presence of a device: seen, stale or gone, measured by its own rhythm. Pure: times are arguments.

Presence is measured in time that never steps: a monotonic clock for a radio, `Timeline` for the stamps of a capture.
A long silence is not part of the rhythm: gaps longer than `STALE_MOST` are ignored; the median of the others counts.
"""

from __future__ import annotations

from collections import deque
from enum import Enum
from statistics import median

STALE_INTERVALS = 8
"""Usual intervals of a device without a sign after which it is stale."""
STALE_SECONDS = 10.0
"""Seconds without a sign before which no device is stale."""
STALE_MOST = 300.0
"""Seconds without a sign after which every device is stale, whatever its rhythm."""
GONE_INTERVALS = 60
"""Usual intervals of a device without a sign after which it is gone."""
GONE_SECONDS = 120.0
"""Seconds without a sign before which no device is gone."""
GONE_MOST = 1800.0
"""Seconds without a sign after which every device is gone, whatever its rhythm."""
GAPS = 9
"""Latest gaps between two signs of which the median is taken."""
OUT_OF_ORDER = 2.0
"""Seconds by which stamps of a capture may run backwards without the clock having been set."""


class PresenceState(Enum):
    """How recently a device gave a sign of life, compared with its own rhythm."""

    SEEN = "seen"
    STALE = "stale"
    GONE = "gone"


class Presence:
    """The signs of life of one device."""

    __slots__ = ("_gaps", "last")

    def __init__(self) -> None:
        self.last: float | None = None
        """When it was last heard, seconds."""
        self._gaps: deque[float] = deque(maxlen=GAPS)

    @property
    def interval(self) -> float | None:
        """The usual time between two signs, seconds; None before the second."""
        return median(self._gaps) if self._gaps else None

    def heard(self, at: float) -> None:
        """Note a sign of life; one older than the last (a capture out of order) changes nothing."""
        if self.last is not None and 0 < at - self.last <= STALE_MOST:
            self._gaps.append(at - self.last)
        self.last = at if self.last is None else max(at, self.last)

    def age(self, now: float) -> float | None:
        """Return the seconds since the last sign, None before the first."""
        return None if self.last is None else max(0.0, now - self.last)

    def state(self, now: float) -> PresenceState:
        """Return whether it is seen, stale or gone at `now`."""
        age, interval = self.age(now), self.interval or 1.0
        if age is None or age > min(max(GONE_SECONDS, GONE_INTERVALS * interval), GONE_MOST):
            return PresenceState.GONE
        stale = age > min(max(STALE_SECONDS, STALE_INTERVALS * interval), STALE_MOST)
        return PresenceState.STALE if stale else PresenceState.SEEN


class Timeline:
    """Time that never runs backwards, made from stamps of a clock that may have been set meanwhile."""

    __slots__ = ("_shift", "_stamp", "now")

    def __init__(self) -> None:
        self.now = 0.0
        """The latest time."""
        self._stamp: float | None = None
        self._shift = 0.0

    def at(self, stamp: float) -> float:
        """Return the time of a stamp, which may lie a little before `now` if it came out of order."""
        if self._stamp is not None and stamp < self._stamp - OUT_OF_ORDER:
            self._shift = self.now - stamp
            self._stamp = stamp
        self._stamp = stamp if self._stamp is None else max(stamp, self._stamp)
        time = stamp + self._shift
        self.now = max(time, self.now)
        return time
