"""What the two services of a connected device have in common: the questions both answer, time, and streams."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec

from bluewatt.errors import DeviceRefused, LinkLost, LinkTimeout
from bluewatt.model.register_values import RegisterReading
from bluewatt.monotonic import monotonic

FIND = 10.0
"""Seconds to listen for a device; Victron devices advertise several times a second."""

NEAREST = 3.0
"""Seconds to listen before the strongest device is taken for the nearest."""

QUEUE = 4096
"""Readings that wait for a slow reader of `subscribe`; then the oldest goes."""

Answer = bytes | DeviceRefused | LinkTimeout
"""What became of a question."""


class Clock(msgspec.Struct, frozen=True):
    """The link's time: `now` in seconds, running `speed` times as fast as the event loop's."""

    now: Callable[[], float] = monotonic
    speed: float = 1.0


class Channel(Protocol):
    """The questions that both services answer."""

    async def read_header(self) -> object:
        """The first read of a link: it fails where the link is not paired."""
        ...

    async def open(self) -> None:
        """Begin."""
        ...

    async def close(self) -> None:
        """End."""
        ...

    def lost(self, error: LinkLost) -> None:
        """The connection ended."""
        ...

    async def devices(self) -> tuple[tuple[int, int], ...]:
        """The instances."""
        ...

    async def subscribe(self, instance: int) -> bool:
        """Ask for changes."""
        ...

    async def ask(self, instance: int, registers: Sequence[int]) -> dict[int, Answer]:
        """Read."""
        ...

    async def write(self, instance: int, register: int, raw: bytes) -> None:
        """Write."""
        ...


class Stream:
    """Readings on their way to one reader of `subscribe`."""

    def __init__(self) -> None:
        self._readings: deque[RegisterReading] = deque(maxlen=QUEUE)
        self._arrived = asyncio.Event()
        self._ended: LinkLost | None = None

    def put(self, reading: RegisterReading) -> None:
        """One more reading."""
        self._readings.append(reading)
        self._arrived.set()

    def end(self, error: LinkLost) -> None:
        """No more will come."""
        self._ended = self._ended or error
        self._arrived.set()

    async def next(self) -> RegisterReading:
        """The next reading; LinkLost when all are read and no more come."""
        while not self._readings:
            if self._ended:
                raise self._ended
            self._arrived.clear()
            await self._arrived.wait()
        return self._readings.popleft()
