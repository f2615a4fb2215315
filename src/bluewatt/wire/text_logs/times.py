"""The time of a line of a log, in the ways logs write it; what a text leaves out is that of 1 January 1970, UTC."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

_DAY = 86400.0
_HALF_A_DAY = _DAY / 2
_SEARCHED = 64
_LATEST = float(1 << 32)

_DATED = re.compile(r"\b(\d{4})-(\d\d)-(\d\d)(?:[T ]+(\d\d):(\d\d):(\d\d)(?:[.,](\d{1,9}))?(Z|[+-]\d\d:?\d\d)?)?")
_CLOCK = re.compile(r"(?<![\w:.])([01]\d|2[0-3]):([0-5]\d):([0-5]\d)(?:[.,](\d{1,9}))?(?![\w:])")
_EPOCH = re.compile(r"^\W{0,3}(1\d{9}(?:\.\d{1,9})?)(?![\w.])")

NO_DATE: Final = "the day: the text has times without a date, shown on 1 January 1970"
NO_TIME: Final = "the time: the text has none, everything is shown at the beginning of 1970"
NO_ORIGIN: Final = "the day: the text counts seconds from its own beginning, shown from 1 January 1970"
NO_ZONE: Final = "the time zone: the times of the text are shown as if they were UTC"


class Times:
    """The reader of the times of a text, line by line."""

    def __init__(self) -> None:
        self.at = 0.0
        """The last time in the text, in POSIX seconds."""
        self.guess = NO_TIME
        """The guess that was made; empty if none was needed."""
        self._midnight: float | None = None
        self._passed = 0.0
        """Seconds of the days that passed since the first."""
        self._last_clock = 0.0

    def read(self, line: str) -> float:
        """Return the time of a line; that of the line before if it has none."""
        head = line[:_SEARCHED]
        epoch = _EPOCH.match(head)
        if epoch:
            self.at, self.guess = float(epoch[1]), ""
        elif not ((dated := _DATED.search(head)) and self._dated(dated)) and (
            clock := _CLOCK.search(head.partition("0x")[0])
        ):
            self._clock(clock)
        return self.at

    def _dated(self, found: re.Match[str]) -> bool:
        """Take a date, and the time behind it if there is one. Return whether there was a date."""
        year, month, day, hour, minute, second, fraction, zone = found.groups()
        try:
            self._midnight = datetime(int(year), int(month), int(day), tzinfo=UTC).timestamp()
        except ValueError:
            return False
        self._last_clock = self._passed = 0.0
        if hour is None:
            return False
        self._set(int(hour), int(minute), int(second), fraction)
        self.at -= _offset(zone)
        self.guess = NO_ZONE if zone is None else ""
        return True

    def _clock(self, found: re.Match[str]) -> None:
        hour, minute, second, fraction = found.groups()
        self.guess = NO_DATE if self._midnight is None else NO_ZONE
        self._set(int(hour), int(minute), int(second), fraction)

    def _set(self, hour: int, minute: int, second: int, fraction: str | None) -> None:
        clock = hour * 3600.0 + minute * 60.0 + second + float(f"0.{fraction or 0}")
        if self._last_clock - clock > _HALF_A_DAY:
            self._passed += _DAY  # midnight has passed
        self._last_clock = clock
        self.at = (self._midnight or 0.0) + self._passed + clock


def iso_seconds(text: str) -> float | None:
    """Return POSIX seconds of a time written as a number or by ISO 8601; None for anything else."""
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if 0 < number < _LATEST:
        return number
    times = Times()
    times.read(text)
    return None if times.guess else times.at


def _offset(zone: str | None) -> float:
    if zone is None or zone == "Z":
        return 0.0
    sign = -1.0 if zone[0] == "-" else 1.0
    digits = zone[1:].replace(":", "")
    return sign * (int(digits[:2]) * 3600.0 + int(digits[2:]) * 60.0)
