"""The loop of `scan`, `watch` and `demo`: a screen shows what a source hears until something ends it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import aclosing, contextmanager
from typing import Protocol, TypeVar

from bluewatt.app.decoding.output import refuse_inputs
from bluewatt.app.lifetime import run_until_stopped
from bluewatt.app.sources import files_of, open_source
from bluewatt.exports.terminal.notices import notice
from bluewatt.model.keys import KeyRing
from bluewatt.model.roster import Roster
from bluewatt.model.vesmart import FrameOutcome
from bluewatt.services.source_reader import SourceReader, completed_keys, nothing_heard
from bluewatt.time_limit import time_limit
from bluewatt.transports.background import Background
from bluewatt.transports.capture.recording import FrameRecorder
from bluewatt.wire.vesmart.broadcast import Network

_T = TypeVar("_T")
_log = logging.getLogger(__name__)

REFRESH = 0.5
"""Seconds between two updates of a live table."""


class Screen(Protocol):
    """Displays events as they arrive."""

    def put(self, outcome: FrameOutcome) -> None:
        """Show an outcome."""

    def tick(self, source: SourceReader) -> None:
        """Update what changes with time."""

    def close(self, source: SourceReader) -> None:
        """Show the last state; nothing comes after it."""


class FoundLog:
    """Logs each device once, when it was found, with its strength; `-v` shows it."""

    def __init__(self) -> None:
        self._known: set[str] = set()

    def report(self, roster: Roster) -> None:
        """Log the devices that are new since the last call."""
        if not _log.isEnabledFor(logging.DEBUG):
            return
        for address, entry in roster.entries.items():
            if address not in self._known:
                self._known.add(address)
                strength = f", {entry.rssi:.0f} dBm" if entry.rssi is not None else ""
                _log.debug("found %s (%s)%s", entry.device.name or "a device without a name", address, strength)


@contextmanager
def recorder(path: str | None) -> Iterator[FrameRecorder | None]:
    """Open the recording of `--record`, if there is to be one."""
    if path is None:
        yield None
        return
    with FrameRecorder.open(path) as opened:
        yield opened


def listen(
    spec: str,
    *,
    keys: KeyRing,
    screen: Callable[[], Screen],
    seconds: float | None,
    record: str | None,
    networks: Sequence[Network] = (),
    unasked: bool = False,
) -> SourceReader:
    """Open a source and show what is heard until it ends, `seconds` are over, or a signal comes: all are good ends.

    If the seconds are not the user's (`unasked`), standard error says that they ended it.
    Raises DeviceNotFound, which says what to check, if no Victron device was heard; CaptureError if a file holds none.
    """
    with recorder(record) as recording:
        source = open_source(spec, keys=keys, networks=networks, on_frame=recording.write if recording else None)
        if record is not None:
            refuse_inputs(record, files_of(source.source))
        run_until_stopped(_listen(source, screen, seconds, unasked=unasked))
    for note in completed_keys(source.receiver):
        notice(note)
    if not source.frames:
        raise nothing_heard(source)
    return source


async def _listen(
    source: SourceReader, make_screen: Callable[[], Screen], seconds: float | None, *, unasked: bool
) -> None:
    async with source, Background() as tasks:
        screen, found = make_screen(), FoundLog()
        source.on_registers = screen.put
        tasks.start(_tick(screen, source, found), name="screen")
        try:
            async with time_limit(seconds) as limit, aclosing(source.outcomes()) as outcomes:
                async for outcome in outcomes:
                    screen.put(outcome)
            if unasked and limit.expired():
                notice(f"ended after {seconds:g} s: give --seconds for longer")
        finally:
            screen.close(source)
            found.report(source.roster)


async def _tick(screen: Screen, source: SourceReader, found: FoundLog) -> None:
    while True:
        screen.tick(source)
        found.report(source.roster)
        await asyncio.sleep(REFRESH)
