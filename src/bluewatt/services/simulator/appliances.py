"""What uses power, and when the engine runs or the shore cable is in: functions of the local day and hour."""

from __future__ import annotations

from functools import cache
from typing import Protocol

import msgspec

from bluewatt.services.chance import chance, wander


class Moment(msgspec.Struct, frozen=True, gc=False):
    """The conditions on a site during one tick."""

    at: float
    """The end of the tick, POSIX seconds UTC."""
    dt: float
    """Seconds."""
    day: int
    """Number of the local day."""
    hour: float
    """Local hour, 0 up to 24."""
    irradiance: float
    """W/m²."""
    air: float
    """°C."""


class Use(msgspec.Struct, frozen=True):
    """One use of an appliance in a day."""

    hour: float
    minutes: float
    chance: float = 1.0
    """Probability that it happens on a day, 0 to 1."""
    spread: float = 0.5
    """Hours by which it may be earlier or later."""


class Appliance(Protocol):
    """A consumer of power."""

    def power(self, moment: Moment) -> float:
        """W."""


class Habit:
    """An appliance in use at certain hours, a little different every day; also the hours of engine and shore power."""

    def __init__(self, seed: int, watts: float, *uses: Use) -> None:
        self.watts = watts
        self._seed = seed
        self._uses = uses
        self._spans = cache(self._draw)

    def _draw(self, day: int) -> tuple[tuple[float, float], ...]:
        """Return the times of use on a day in local hours, each with beginning and end."""
        spans = []
        for index, use in enumerate(self._uses):
            place = 64 * day + 2 * index
            if chance(self._seed, place) < use.chance:
                start = use.hour + (chance(self._seed, place + 1) - 0.5) * 2 * use.spread
                spans.append((start, start + use.minutes / 60))
        return tuple(spans)

    def is_on(self, moment: Moment) -> bool:
        """Return whether it is in use."""
        return any(start <= moment.hour < end for start, end in self._spans(moment.day))

    def power(self, moment: Moment) -> float:
        """W."""
        return self.watts if self.is_on(moment) else 0.0


class Compressor:
    """A fridge: on and off around the clock, longer if it is hot."""

    def __init__(self, seed: int, watts: float, *, period: float = 1800.0) -> None:
        self._phase = chance(seed, 0) * period
        self.watts = watts
        self.period = period

    def power(self, moment: Moment) -> float:
        """W."""
        share = min(max(0.3 + 0.015 * (moment.air - 15), 0.15), 0.9)
        return self.watts if (moment.at + self._phase) % self.period < share * self.period else 0.0


class Standing:
    """A load that is always on and varies a little."""

    def __init__(self, seed: int, watts: float) -> None:
        self._seed = seed
        self.watts = watts

    def power(self, moment: Moment) -> float:
        """W."""
        return self.watts * (0.8 + 0.4 * wander(self._seed, moment.at / 90))
