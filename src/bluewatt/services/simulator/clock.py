"""The time of a simulation, which may run faster than real time."""

from __future__ import annotations

import asyncio

from bluewatt.monotonic import monotonic

FASTEST = 10_000.0
"""Highest speed of a site's time; the simulator computes all that happens meanwhile, an hour in milliseconds."""
LATEST = 4_000_000_000.0
"""Latest start of a site in POSIX seconds: the year 2096."""
MOST_DEVICES = 500
"""Devices of the largest site: one processor of a small computer just manages to send and receive their packets."""


class SiteClock:
    """The site's time: it began at `start` and runs `speed` times as fast as real time."""

    def __init__(self, start: float, speed: float) -> None:
        self.start = start
        self.speed = speed
        self._began = monotonic()

    def now(self) -> float:
        """Return the site's present in POSIX seconds."""
        return self.start + max(0.0, monotonic() - self._began) * self.speed

    async def until(self, at: float) -> None:
        """Wait until the site's present is `at`."""
        await asyncio.sleep(max(0.0, (at - self.now()) / self.speed))
