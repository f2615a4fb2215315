"""What a live source shows on standard output: JSON Lines, a line per reading, or a picture that is drawn anew."""

from __future__ import annotations

import sys
import time
from bisect import bisect_right
from collections.abc import Callable, Mapping
from typing import Protocol

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.live import Live
from rich.segment import Segment
from rich.text import Text

from bluewatt.exports.jsonlines import write_json
from bluewatt.exports.terminal.devices import DevicesTable, device_panel, status_line
from bluewatt.exports.terminal.layout import output_width
from bluewatt.exports.terminal.names import NO_NAMES, with_given_name
from bluewatt.model.dialogue.json_objects import LineWriter
from bluewatt.model.dialogue.sentences import value_words
from bluewatt.model.display import label, register_label, value_text, visible_values
from bluewatt.model.identity import Device
from bluewatt.model.json_objects import calendar_second, json_line
from bluewatt.model.reading import Reading
from bluewatt.model.register_values import RegisterReading
from bluewatt.model.vesmart import FrameOutcome
from bluewatt.services.source_reader import SourceReader
from bluewatt.wire.printable import printable

_ECHO = 2
"""Columns the terminal needs to echo Ctrl-C as ^C. In a full line the echo would move everything up by a line."""


class JsonScreen:
    """JSON Lines on standard output, each line at once."""

    def put(self, outcome: FrameOutcome) -> None:
        """Print the object of an outcome, or one for each register of a VE.Smart member."""
        if isinstance(outcome, RegisterReading):
            return print_registers(outcome)
        write_json(json_line(outcome))

    def tick(self, source: SourceReader) -> None:
        """Do nothing: there is nothing to draw anew."""

    def close(self, source: SourceReader) -> None:
        """Do nothing: all is printed."""


class LineScreen:
    """A line per reading, for output that is no terminal; times are local unless `utc`, which marks them with Z."""

    def __init__(self, *, utc: bool = False, names: Mapping[str, str] = NO_NAMES) -> None:
        self._utc = utc
        self._names = names

    def put(self, outcome: FrameOutcome) -> None:
        """Print the time, the device and what it said."""
        device = with_given_name(outcome.device, self._names)
        name = printable(device.name or device.address)
        print(f"{clock_text(outcome.at, utc=self._utc)}  {name}  {_sentence(outcome)}", flush=True)

    def tick(self, source: SourceReader) -> None:
        """Do nothing: there is nothing to draw anew."""

    def close(self, source: SourceReader) -> None:
        """Do nothing: all is printed."""


def clock_text(at: float, *, utc: bool) -> str:
    """Return the time of day of a time in seconds since 1970: local as 09:00:00, or UTC as 09:00:00Z."""
    second = calendar_second(at)
    return time.strftime("%H:%M:%SZ", time.gmtime(second)) if utc else time.strftime("%H:%M:%S", time.localtime(second))


def _sentence(outcome: FrameOutcome) -> str:
    if isinstance(outcome, RegisterReading):
        return ", ".join(f"{register_label(value)} {value_words(value)}" for value in outcome.values)
    if not isinstance(outcome, Reading):
        return f"no values: {outcome.detail}"
    return ", ".join(
        f"{label(row)} {value_text(row, value)}" for row, value in visible_values(outcome.record) if value is not None
    )


class Draw(Protocol):
    """A function that draws a source for `width` columns and, if `height` is given, at most so many lines."""

    def __call__(self, source: SourceReader, width: int, height: int | None = None, /) -> RenderableType:
        """Return the picture."""


class TableScreen:
    """A picture drawn anew twice a second on a terminal, once at the end elsewhere."""

    def __init__(self, draw: Draw, *, console: Console | None = None) -> None:
        self.console = console or Console()
        self.console.width = output_width(self.console) if console is None else console.width
        self._draw = draw
        self._live = Live(console=self.console, auto_refresh=False) if self.console.is_terminal else None
        if self._live:
            self._live.start()

    def put(self, outcome: FrameOutcome) -> None:
        """Do nothing: the next picture shows it."""

    def tick(self, source: SourceReader) -> None:
        """Draw the devices that fit on the terminal."""
        if self._live:
            self._live.update(self._draw(source, self.console.width, self.console.height), refresh=True)

    def close(self, source: SourceReader) -> None:
        """Draw the last picture, which stays and shows every device."""
        last = self._draw(source, self.console.width)
        if self._live:
            self._live.update(last)
            self._live.stop()
            return
        with self.console.capture() as drawn:
            self.console.print(last)
        sys.stdout.writelines(f"{line.rstrip()}\n" for line in drawn.get().splitlines())


class Picture:
    """Devices and a status line in at most `height` lines: who is left out is counted, and the status line stays."""

    def __init__(self, draw: Callable[[int], RenderableType], count: int, status: Text, height: int | None) -> None:
        self._draw = draw
        self._count = count
        self._status = status
        self._height = height

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        def drawn(count: int) -> list[list[Segment]]:
            return console.render_lines(self._draw(count), options.update(height=None), pad=False)

        fitting, lines = self._count, drawn(self._count)
        if self._height is not None and len(lines) > self._height - 1:
            most = max(self._height - 2, 1)
            fitting = bisect_right(range(self._count), most, key=lambda count: len(drawn(count))) - 1
            fitting = max(fitting, 1)  # of a device that is higher than the terminal, what fits
            lines = drawn(fitting)[:most]
        for line in lines:
            yield from line
            yield Segment.line()
        if fitting < self._count:
            yield Text(f"… {self._count - fitting} more", "dim")
        status = self._status.copy()
        status.truncate(max(options.max_width - _ECHO, 1), overflow="ellipsis")
        yield status


def overview(
    source: SourceReader,
    width: int,
    height: int | None = None,
    *,
    ending: str = "",
    names: Mapping[str, str] = NO_NAMES,
) -> RenderableType:
    """Return the table of all devices and the status line, in at most `height` lines."""
    table = DevicesTable(source.roster, source.presence_time(), width=width, names=names)
    return Picture(table.first, len(table.entries), _status(source, ending), height)


def panels(
    source: SourceReader,
    width: int,
    height: int | None = None,
    *,
    shows: Callable[[Device], bool],
    ending: str = "",
    names: Mapping[str, str] = NO_NAMES,
) -> RenderableType:
    """Return all values of the devices that `shows` accepts and the status line, in at most `height` lines."""
    now = source.presence_time()
    entries = [entry for entry in source.roster.nearest_first() if shows(entry.device)]

    def draw(count: int) -> RenderableType:
        return Group(*(device_panel(entry, now, width=width, names=names) for entry in entries[:count]))

    return Picture(draw, len(entries), _status(source, ending), height)


def _status(source: SourceReader, ending: str) -> Text:
    return status_line(source.roster, source.frames, mode=mode_text(source), ending=ending)


def mode_text(source: SourceReader) -> str:
    """Return how the source listens, such as "passive scan (the system allows it)"; empty for a file."""
    scanner = source.scanner
    return f"{scanner.mode} scan ({scanner.mode_reason})" if scanner else ""


def print_registers(reading: RegisterReading) -> None:
    """Print what a member of a VE.Smart network sent, a JSON object per register."""
    for line in LineWriter(reading.origin).registers(reading):
        write_json(line)
