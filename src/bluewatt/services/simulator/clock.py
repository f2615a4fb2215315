"""The time of a simulation: it may run faster than the world's."""

from __future__ import annotations

import asyncio

from bluewatt.monotonic import monotonic

FASTEST = 10_000.0
"""The fastest a site's time may run: the simulator computes all that happens on the way, an hour takes milliseconds."""
LATEST = 4_000_000_000.0
"""The last time a site may begin at, POSIX seconds: the year 2096."""
MOST_DEVICES = 500
"""The largest site: one processor of a small computer just sends and receives what so many devices say."""


class SiteClock:
    """The site's time: it began at `start` and runs `speed` times as fast as the world's."""

    def __init__(self, start: float, speed: float) -> None:
        self.start = start
        self.speed = speed
        self._began = monotonic()

    def now(self) -> float:
        """The site's present, POSIX seconds."""
        return self.start + max(0.0, monotonic() - self._began) * self.speed

    async def until(self, at: float) -> None:
        """Wait until the site's present is `at`."""
        await asyncio.sleep(max(0.0, (at - self.now()) / self.speed))
