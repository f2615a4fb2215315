"""`bluewatt decode FILE`: everything in captures, recordings and logs, as a table, JSON Lines, CSV or Parquet."""

from __future__ import annotations

import csv
import io
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple, cast

import click

from bluewatt.cli.decode import PastedOpener, why_nothing
from bluewatt.cli.inputs import Input
from bluewatt.cli.pasted import find_pasted
from bluewatt.errors import CaptureError, ConfigError
from bluewatt.model.jsonlines import json_line, json_value, utc_text
from bluewatt.model.reading import Frame, Reading, Undecoded
from bluewatt.model.receiver import Outcome, Receiver
from bluewatt.model.roster import Roster
from bluewatt.services.keys import NamedKey, ring_of
from bluewatt.tables.products import product_name

BLOCK_LINES = 512
"""Lines written at once."""
WORTH_A_BAR = 4 << 20
"""A file of so many bytes gets a progress bar."""
PARQUET_BLOCK = 1 << 20

CSV_HEADER = ("at", "source", "address", "name", "product", "record", "metric", "value", "unit")

READING = "reading"
"""What the receiver counts readings as."""
NOTHING = "no advertisement of a Victron device in it"


class Tally:
    """What decoding met: counted for the last line and the exit code."""

    def __init__(self) -> None:
        self.counts: list[Counter[str]] = []
        """Of each input, as the receiver counts."""
        self.reasons: Counter[str] = Counter()
        self.detail = NOTHING
        self.damaged = 0

    @property
    def readings(self) -> int:
        """How many readings there were."""
        return sum(counts[READING] for counts in self.counts)

    def note(self, outcome: Undecoded) -> None:
        """Count one frame without values; the first one's sentence is kept."""
        if not self.reasons:
            self.detail = outcome.detail
        self.reasons[outcome.reason] += 1

    def problem(self, error: CaptureError) -> None:
        """Count a damage the reading survived."""
        self.damaged += 1

    def report(self) -> None:
        """Say on standard error what gave no values."""
        parts = [f"{count} x {reason}" for reason, count in self.reasons.most_common()]
        if self.damaged:
            parts.append(f"{self.damaged} x damaged")
        if parts:
            click.echo(f"bluewatt: {self.readings} readings; without values: {', '.join(parts)}", err=True)


class Heard(NamedTuple):
    """The frames of one input and what makes outcomes of them."""

    frames: Iterator[Frame]
    feed: Callable[[Frame], list[Outcome]]
    note: Callable[[Undecoded], None]
    """Told of every frame without values."""
    block: int
    """Lines to write at once: of a pipe each line, as it comes."""


def decode_files(files: Sequence[str], named: Sequence[NamedKey], form: str, output: str | None) -> None:
    """Decode all files into one output; raises what ended it, or the reason when there was not one reading."""
    if form == "parquet":
        _to_parquet(files, named, output)
        return
    tally = Tally()
    try:
        with _output(output) as out:
            _WRITERS[form](_inputs(files, named, tally), out)
    finally:
        tally.report()
    if not tally.readings:
        raise why_nothing(tally.reasons, f"{', '.join(files)}: {tally.detail}")


def _inputs(files: Sequence[str], named: Sequence[NamedKey], tally: Tally) -> Iterator[Heard]:
    """Each input, open while it is its turn."""
    for path in files:
        with Input(path) as source, _progress(source):
            block = 1 if source.is_live else BLOCK_LINES
            if source.is_text:
                frames, feed = _text(source, named, tally)
            else:
                receiver = Receiver(ring_of(named))
                tally.counts.append(receiver.counts)
                frames, feed = source.frames(tally.problem), receiver.feed
            yield Heard(frames, feed, tally.note, block)


def _text(
    source: Input, named: Sequence[NamedKey], tally: Tally
) -> tuple[Iterator[Frame], Callable[[Frame], list[Outcome]]]:
    counts: Counter[str] = Counter()
    tally.counts.append(counts)
    opener = PastedOpener(named)

    def frames() -> Iterator[Frame]:
        found = False
        for pasted in find_pasted(source.lines()):
            found = True
            yield opener.frame(pasted)
        if not found:
            what = f"{source.path}: neither a capture nor text with an advertisement in it"
            raise CaptureError(what, path=source.path)

    def feed(frame: Frame) -> list[Outcome]:
        outcome = opener.open(frame).outcome
        counts[READING] += isinstance(outcome, Reading)
        return [outcome]

    return frames(), feed


def _to_json(inputs: Iterable[Heard], out: BinaryIO) -> None:
    """A line per outcome; those made before an error are written before it goes on."""
    waiting: list[bytes] = []
    append = waiting.append
    try:
        for frames, feed, note, block in inputs:
            for frame in frames:
                for outcome in feed(frame):
                    if outcome.__class__ is not Reading:
                        note(cast("Undecoded", outcome))
                    append(json_line(outcome))
                if len(waiting) >= block:
                    _flush(waiting, out)
    finally:
        _flush(waiting, out)


def _flush(waiting: list[bytes], out: BinaryIO) -> None:
    if waiting:
        waiting.append(b"")
        out.write(b"\n".join(waiting))
        out.flush()
        waiting.clear()


def _to_csv(inputs: Iterable[Heard], out: BinaryIO) -> None:
    """A line per value, "long" form: it streams, and no record needs the columns of another."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(CSV_HEADER)
    made = 0
    try:
        for frames, feed, note, block in inputs:
            for frame in frames:
                for outcome in feed(frame):
                    if isinstance(outcome, Reading):
                        writer.writerows(_csv_rows(outcome))
                        made += 1
                    else:
                        note(outcome)
                if made >= block:
                    _drain(text, out)
                    made = 0
    finally:
        _drain(text, out)


def _csv_rows(reading: Reading) -> Iterator[tuple[object, ...]]:
    device = reading.device
    product = product_name(device.product_id) if device.product_id is not None else None
    head = (utc_text(reading.at), reading.frame.origin, device.address, device.name, product)
    for row in reading.record.rows:
        value = getattr(reading.record, row.name)
        if value is not None and not row.hidden:
            plain = json_value(value)
            text = " ".join(map(str, plain)) if isinstance(plain, (list, tuple)) else plain
            yield *head, reading.record.record_name, row.name, text, row.unit


def _drain(text: io.StringIO, out: BinaryIO) -> None:
    out.write(text.getvalue().encode())
    out.flush()
    text.seek(0)
    text.truncate()


def _to_table(inputs: Iterable[Heard], out: BinaryIO) -> None:
    """The devices of all inputs."""
    from bluewatt.cli.terminal import plain_table

    roster, last = Roster(), 0.0
    try:
        for heard in inputs:
            for frame in heard.frames:
                roster.heard(frame)
                last = max(last, frame.at)
                for outcome in heard.feed(frame):
                    roster.told(outcome)
                    if isinstance(outcome, Undecoded):
                        heard.note(outcome)
    finally:
        if roster.entries:
            out.write(plain_table(roster, last, counts=True).encode())
            out.flush()


_WRITERS: dict[str, Callable[[Iterable[Heard], BinaryIO], None]] = {
    "json": _to_json,
    "csv": _to_csv,
    "table": _to_table,
}


@contextmanager
def _output(path: str | None) -> Iterator[BinaryIO]:
    if path is None:
        yield sys.stdout.buffer
        return
    try:
        with Path(path).open("wb") as file:
            yield file
    except OSError as error:
        raise CaptureError(f"cannot write {path}: {error.strerror}", path=path) from error


@contextmanager
def _progress(source: Input) -> Iterator[None]:
    """A bar on standard error, where that is a terminal and the file is large."""
    if source.size is None or source.size < WORTH_A_BAR or not sys.stderr.isatty():
        yield
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(Path(source.path).name, total=source.size)
        source.on_progress = lambda done: bar.update(task, completed=done)
        yield


def _to_parquet(files: Sequence[str], named: Sequence[NamedKey], output: str | None) -> None:
    if output is None:
        raise click.UsageError("--format parquet needs --output FILE")
    try:
        from bluewatt.cli.parquet import write_files
    except ModuleNotFoundError as missing:
        hint = "run: pip install 'bluewatt[batch]'"
        raise ConfigError(f"Parquet needs the library {missing.name}", hint=hint) from missing
    tally = Tally()
    try:
        readings, tally.reasons = write_files(Path(output), files, named, _progress, tally.problem)
    except OSError as error:
        raise CaptureError(f"cannot write {output}: {error.strerror}", path=output) from error
    tally.counts.append(Counter({READING: readings}))
    tally.report()
    if not readings:
        detail = f"every advertisement ended as {' or '.join(tally.reasons)}" if tally.reasons else NOTHING
        raise why_nothing(tally.reasons, f"{', '.join(files)}: {detail}")
