"""Is a device there? Seen, stale or gone, by its own rhythm. Pure: `now` is an argument."""

from __future__ import annotations

from enum import Enum

STALE_INTERVALS = 8
"""A device is stale after so many of its own intervals without a sign …"""
STALE_SECONDS = 10.0
"""… but not before this."""
GONE_INTERVALS = 60
GONE_SECONDS = 120.0
WEIGHT = 0.1
"""Of the newest interval in the running mean."""


class PresenceState(Enum):
    """How recently a device gave a sign, measured against its own rhythm."""

    SEEN = "seen"
    STALE = "stale"
    GONE = "gone"


class Presence:
    """The signs of life of one device."""

    __slots__ = ("interval", "last")

    def __init__(self) -> None:
        self.last: float | None = None
        """When it was last heard, POSIX seconds."""
        self.interval: float | None = None
        """The running mean of the time between two signs, seconds."""

    def heard(self, at: float) -> None:
        """A sign of life; one that is older than the last (a capture out of order) changes nothing."""
        if self.last is not None and at > self.last:
            gap = at - self.last
            self.interval = gap if self.interval is None else self.interval + WEIGHT * (gap - self.interval)
        self.last = at if self.last is None else max(at, self.last)

    def age(self, now: float) -> float | None:
        """Seconds since the last sign, None before the first."""
        return None if self.last is None else max(0.0, now - self.last)

    def state(self, now: float) -> PresenceState:
        """Seen, stale or gone at `now`."""
        age = self.age(now)
        interval = self.interval or 1.0
        if age is None or age > max(GONE_SECONDS, GONE_INTERVALS * interval):
            return PresenceState.GONE
        return PresenceState.STALE if age > max(STALE_SECONDS, STALE_INTERVALS * interval) else PresenceState.SEEN
