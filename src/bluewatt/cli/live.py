"""The loop under `scan`, `watch` and `demo`: a source is open, a screen shows what arrives, something ends it."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import aclosing, contextmanager, suppress
from typing import Any, Protocol, TypeVar

import click

from bluewatt.app.sources import files_of, open_source
from bluewatt.cli import DEBUG
from bluewatt.cli.outputs import refuse_inputs
from bluewatt.cli.signals import until_asked
from bluewatt.model.keys import KeyRing
from bluewatt.model.vesmart import Told
from bluewatt.services.source_reader import OpenSource, completed_keys, nothing_heard
from bluewatt.transports.background import Background
from bluewatt.transports.capture.recording import FrameRecorder
from bluewatt.wire.vesmart.broadcast import Network

_T = TypeVar("_T")

WITHOUT_TERMINAL = 10.0
"""Seconds a command runs where nobody can press Ctrl-C and none were named."""
REFRESH = 0.5
"""Seconds between two pictures of a live table."""


class Screen(Protocol):
    """Who shows what is heard."""

    def put(self, outcome: Told) -> None:
        """One more outcome."""

    def tick(self, source: OpenSource) -> None:
        """Time passed."""

    def close(self, source: OpenSource) -> None:
        """It is over."""


@contextmanager
def recorder(path: str | None) -> Iterator[FrameRecorder | None]:
    """The recording of `--record`, if there is to be one."""
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
) -> OpenSource:
    """Open a source and show what is heard until it ends, `seconds` are over, or Ctrl-C; all of these end well.

    Where the seconds are not the user's (`unasked`), standard error tells that they ended it.
    DeviceNotFound, with what to check, when no Victron device was heard; CaptureError when a file holds none.
    """
    quiet_libraries()
    with recorder(record) as recording:
        source = open_source(spec, keys=keys, networks=networks, on_frame=recording.write if recording else None)
        if record is not None:
            refuse_inputs(record, files_of(source.source))
        run(_listen(source, screen, seconds, unasked=unasked))
    for note in completed_keys(source.receiver):
        click.echo(f"bluewatt: {note}", err=True)
    if not source.frames:
        raise nothing_heard(source)
    return source


async def _listen(
    source: OpenSource, make_screen: Callable[[], Screen], seconds: float | None, *, unasked: bool
) -> None:
    async with source, Background() as tasks:
        screen = make_screen()
        source.on_registers = screen.put
        tasks.start(_tick(screen, source), name="screen")
        try:
            async with asyncio.timeout(seconds) as limit, aclosing(source.outcomes()) as outcomes:
                async for outcome in outcomes:
                    screen.put(outcome)
        except TimeoutError:
            if not limit.expired():
                raise
            if unasked:
                click.echo(f"bluewatt: ended after {seconds:g} s: give --seconds for longer", err=True)
        finally:
            screen.close(source)


async def _tick(screen: Screen, source: OpenSource) -> None:
    while True:
        screen.tick(source)
        await asyncio.sleep(REFRESH)


def run(main: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine until it ends, or until Ctrl-C or SIGTERM ask it to: both are a good end."""
    asyncio.run(_well_ended(main))


async def _well_ended(main: Coroutine[Any, Any, None]) -> None:
    with suppress(asyncio.CancelledError):
        await until_asked(main)


def quiet_libraries() -> None:
    """Keep what libraries log off the screen, unless the user asked for it; their lines go to standard error."""
    level = logging.INFO if os.environ.get(DEBUG) else logging.CRITICAL
    logging.basicConfig(level=level, stream=sys.stderr)


def limit_of(seconds: float | None, spec: str = "") -> float | None:
    """How long to listen: as asked, for ever on a terminal or to a capture (it ends itself), else WITHOUT_TERMINAL."""
    endless = sys.stdout.isatty() or spec.startswith("capture:")
    return seconds if seconds is not None or endless else WITHOUT_TERMINAL
