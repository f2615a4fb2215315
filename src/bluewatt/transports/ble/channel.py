"""What both services of a connected device share: the questions they answer, time, and streams of readings."""

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
"""Readings kept for a slow reader of `subscribe`; the oldest is dropped first."""

Answer = bytes | DeviceRefused | LinkTimeout
"""The answer to a question: the bytes of a register, or why there are none."""


class Clock(msgspec.Struct, frozen=True):
    """The time of a link: `now` in seconds, running `speed` times as fast as the event loop's."""

    now: Callable[[], float] = monotonic
    speed: float = 1.0


class Channel(Protocol):
    """A service of a connected device that answers questions about registers."""

    async def read_header(self) -> object:
        """Read the first value of a link; raises an error of bleak, or Malformed, if the link is not paired."""
        ...

    async def open(self) -> None:
        """Begin the session."""
        ...

    async def close(self) -> None:
        """End the session; the connection stays."""
        ...

    def lost(self, error: LinkLost) -> None:
        """Let every waiting question fail with `error`: the connection ended."""
        ...

    async def devices(self) -> tuple[tuple[int, int], ...]:
        """Return the instances of the device, each with a second number; empty if it does not say."""
        ...

    async def subscribe(self, instance: int) -> bool:
        """Ask for every change of an instance; return whether the device agreed."""
        ...

    async def ask(self, instance: int, registers: Sequence[int]) -> dict[int, Answer]:
        """Return the answers for registers of one instance; raises LinkLost."""
        ...

    async def write(self, instance: int, register: int, raw: bytes) -> None:
        """Write a register; raises DeviceRefused or LinkLost."""
        ...


class Stream:
    """Readings on their way to one reader of `subscribe`."""

    def __init__(self) -> None:
        self._readings: deque[RegisterReading] = deque(maxlen=QUEUE)
        self._arrived = asyncio.Event()
        self._ended: LinkLost | None = None

    def put(self, reading: RegisterReading) -> None:
        """Add a reading."""
        self._readings.append(reading)
        self._arrived.set()

    def end(self, error: LinkLost) -> None:
        """End the stream with an error, after the readings that wait."""
        self._ended = self._ended or error
        self._arrived.set()

    async def next(self) -> RegisterReading:
        """Return the next reading; raises LinkLost when all are read and no more come."""
        while not self._readings:
            if self._ended:
                raise self._ended
            self._arrived.clear()
            await self._arrived.wait()
        return self._readings.popleft()
