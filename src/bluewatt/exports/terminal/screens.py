"""Live screens: JSON Lines, and a table drawn anew."""

from __future__ import annotations

import sys
from collections.abc import Callable

from rich.console import Console, Group, RenderableType
from rich.live import Live

from bluewatt.exports.terminal.devices import PLAIN_WIDTH, devices_table, status_line
from bluewatt.model.dialogue.json_objects import LineWriter
from bluewatt.model.json_objects import json_line
from bluewatt.model.register_values import RegisterReading
from bluewatt.model.vesmart import FrameOutcome
from bluewatt.services.source_reader import SourceReader


class JsonScreen:
    """JSON Lines on standard output, each line at once."""

    def put(self, outcome: FrameOutcome) -> None:
        """Print its object, of a VE.Smart member's registers one each."""
        if isinstance(outcome, RegisterReading):
            return print_registers(outcome)
        sys.stdout.buffer.write(json_line(outcome) + b"\n")
        sys.stdout.buffer.flush()

    def tick(self, source: SourceReader) -> None:
        """Nothing to draw anew."""

    def close(self, source: SourceReader) -> None:
        """Nothing to add."""


class TableScreen:
    """A picture drawn anew twice a second on a terminal, once at the end elsewhere."""

    def __init__(self, draw: Callable[[SourceReader, int], RenderableType], *, console: Console | None = None) -> None:
        self.console = console or Console()
        if not self.console.is_terminal:
            self.console.width = max(self.console.width, PLAIN_WIDTH)
        self._draw = draw
        self._live = Live(console=self.console, auto_refresh=False) if self.console.is_terminal else None
        if self._live:
            self._live.start()

    def put(self, outcome: FrameOutcome) -> None:
        """Shown with the next picture."""

    def tick(self, source: SourceReader) -> None:
        """Draw."""
        if self._live:
            self._live.update(self._draw(source, self.console.width), refresh=True)

    def close(self, source: SourceReader) -> None:
        """Draw the last picture, which stays."""
        if self._live:
            self.tick(source)
            self._live.stop()
            return
        with self.console.capture() as drawn:
            self.console.print(self._draw(source, self.console.width))
        sys.stdout.writelines(f"{line.rstrip()}\n" for line in drawn.get().splitlines())


def overview(source: SourceReader, width: int, *, ending: str = "") -> RenderableType:
    """All devices and the status line."""
    table = devices_table(source.roster, source.presence_time(), width=width)
    return Group(table, status_line(source.roster, source.frames, mode=mode_text(source), ending=ending))


def mode_text(source: SourceReader) -> str:
    """How the source listens, such as "passive scan (the system allows it)"; empty for a file."""
    scanner = source.scanner
    return f"{scanner.mode} scan ({scanner.mode_reason})" if scanner else ""


def print_registers(reading: RegisterReading) -> None:
    """Print what a member of a VE.Smart network told, a JSON object per register."""
    for line in LineWriter(reading.origin).registers(reading):
        sys.stdout.buffer.write(line + b"\n")
    sys.stdout.buffer.flush()
