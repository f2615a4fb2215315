"""`bluewatt decode FILE`: everything in captures, recordings and logs, as a table, JSON Lines, CSV or Parquet."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import click

from bluewatt.cli.decode import PastedOpener, why_nothing
from bluewatt.cli.inputs import Input
from bluewatt.cli.pasted import find_pasted
from bluewatt.cli.writers import BLOCK_LINES, WRITERS, Inlet
from bluewatt.errors import CaptureError, ConfigError
from bluewatt.model.conversation import DAMAGED, LINK, Line
from bluewatt.model.keys import KeyRing
from bluewatt.model.networks import NetworkAwareReceiver
from bluewatt.model.reading import Reading
from bluewatt.model.receiver import Receiver
from bluewatt.model.registers import RegisterReading
from bluewatt.model.transcript import Entry, Step, Transcript
from bluewatt.services.keys import NamedKey, ring_of
from bluewatt.wire.containers import read_packets
from bluewatt.wire.vesmart import Network

WORTH_A_BAR = 4 << 20
"""A file of so many bytes gets a progress bar."""
PARQUET_BLOCK = 1 << 20

NOTHING = "no advertisement of a Victron device in it, and no connection to one"


@dataclass(frozen=True)
class Secrets:
    """What opens the things in a capture, and whether what it holds of that kind is shown."""

    keys: Sequence[NamedKey] = ()
    networks: Sequence[Network] = ()
    reveal: bool = False

    def ring(self) -> KeyRing:
        """A new key ring of the keys."""
        return ring_of(self.keys)


class Tally:
    """What decoding met: counted for the last line and the exit code."""

    def __init__(self) -> None:
        self.readings = 0
        self.lines = 0
        self.reasons: Counter[str] = Counter()
        self.detail = NOTHING
        self.damaged = 0
        self.notes: list[str] = []

    def note(self, entry: Entry) -> None:
        """Count one thing found."""
        if isinstance(entry, Line):
            self._line(entry)
        elif isinstance(entry, Reading | RegisterReading):
            self.readings += 1
        else:
            if not self.reasons:
                self.detail = entry.detail
            self.reasons[entry.reason] += 1

    def _line(self, line: Line) -> None:
        if line.kind == DAMAGED:
            self.reasons[line.message] += 1
        elif line.kind != LINK:
            self.lines += 1

    def problem(self, error: CaptureError) -> None:
        """Say a damage the reading survived; the first few in full."""
        self.damaged += 1
        if self.damaged <= _TOLD:
            click.echo(f"bluewatt: {error}", err=True)

    def report(self) -> None:
        """Say on standard error what gave no values."""
        parts = [f"{count} x {reason}" for reason, count in self.reasons.most_common()]
        if self.damaged:
            parts.append(f"{self.damaged} x damaged")
        found = f"{self.readings} readings" + (f", {self.lines} messages" if self.lines else "")
        if parts:
            click.echo(f"bluewatt: {found}; without values: {', '.join(parts)}", err=True)
        for note in self.notes:
            click.echo(f"bluewatt: {note}", err=True)


_TOLD = 5
"""So many damages are told in full; the others are counted."""


def decode_files(files: Sequence[str], secrets: Secrets, form: str, output: str | None, *, follow: bool) -> None:
    """Decode all files into one output; raises what ended it, or the reason when there was not one reading."""
    if form == "parquet":
        _to_parquet(files, secrets, output)
        return
    tally = Tally()
    try:
        with open_output(output) as out:
            WRITERS[form](inlets(files, secrets, tally, follow=follow), out)
    finally:
        tally.report()
    if not tally.readings and not tally.lines:
        raise why_nothing(tally.reasons, f"{', '.join(files)}: {tally.detail}")


def inlets(files: Sequence[str], secrets: Secrets, tally: Tally, *, follow: bool = False) -> Iterator[Inlet]:
    """Each input, open while it is its turn."""
    for path in files:
        with Input(path, follow=follow) as source, progress(source):
            yield Inlet(
                steps(source, secrets, tally), source.origin, secrets.reveal, 1 if source.is_live else BLOCK_LINES
            )


def steps(source: Input, secrets: Secrets, tally: Tally) -> Iterator[Step]:
    """Everything in an input, in its order, counted on the way."""
    if source.is_text:
        found = _text_steps(source, secrets)
    elif source.is_recording:
        found = _recording(source, secrets, tally)
    else:
        found = _capture(source, secrets, tally)
    note, readings = tally.note, 0
    try:
        for step in found:
            for entry in step[1]:
                if entry.__class__ is Reading:
                    readings += 1
                else:
                    note(entry)
            yield step
    finally:
        tally.readings += readings


def _recording(source: Input, secrets: Secrets, tally: Tally) -> Iterator[Step]:
    receiver = NetworkAwareReceiver(Receiver(secrets.ring()), secrets.networks)
    for frame in source.frames(tally.problem):
        yield frame, receiver.feed(frame)


def _capture(source: Input, secrets: Secrets, tally: Tally) -> Iterator[Step]:
    """The packets of a container: what was read before an error is given before it is raised."""
    transcript = Transcript(source.origin, secrets.ring(), secrets.networks)
    try:
        for packets in read_packets(source.blocks(), transcript.problems.append):
            yield from transcript.feed(packets)
            _tell(source, transcript, tally)
    except CaptureError as error:
        yield None, transcript.finish()
        raise source.placed(error) from None
    yield None, transcript.finish()
    _tell(source, transcript, tally)
    tally.notes += _remarks(transcript)


def _tell(source: Input, transcript: Transcript, tally: Tally) -> None:
    for problem in transcript.problems:
        tally.problem(source.placed(problem))
    transcript.problems.clear()


def _remarks(transcript: Transcript) -> Iterator[str]:
    """What a person should know about a capture besides its content."""
    if transcript.backwards:
        yield f"the time went backwards {transcript.backwards} times: the lines are in the order of the file"
    if transcript.unreadable:
        yield f"{transcript.unreadable} packets belong to encrypted connections and cannot be read by a sniffer"
    if transcript.bad_crc:
        yield f"{transcript.bad_crc} packets were heard with a wrong checksum"
    seen = transcript.conversation.keys_seen
    if seen:
        yield f"the key of {', '.join(seen)} is in this capture and was used: --redact before you share it"


def _text_steps(source: Input, secrets: Secrets) -> Iterator[Step]:
    opener = PastedOpener(secrets.keys)
    found = False
    for pasted in find_pasted(source.lines()):
        found = True
        frame = opener.frame(pasted)
        yield frame, [opener.open(frame).outcome]
    if not found:
        raise CaptureError(f"{source.path}: neither a capture nor text with an advertisement in it", path=source.path)


@contextmanager
def open_output(path: str | None) -> Iterator[BinaryIO]:
    """The file to write, or standard output."""
    if path is None:
        yield sys.stdout.buffer
        return
    try:
        with Path(path).open("wb") as file:
            yield file
    except OSError as error:
        raise CaptureError(f"cannot write {path}: {error.strerror}", path=path) from error


@contextmanager
def progress(source: Input) -> Iterator[None]:
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


def _to_parquet(files: Sequence[str], secrets: Secrets, output: str | None) -> None:
    if output is None:
        raise click.UsageError("--format parquet needs --output FILE")
    try:
        from bluewatt.cli.parquet import write_files
    except ModuleNotFoundError as missing:
        hint = "run: pip install 'bluewatt[batch]'"
        raise ConfigError(f"Parquet needs the library {missing.name}", hint=hint) from missing
    tally = Tally()
    try:
        tally.readings, tally.reasons = write_files(Path(output), files, secrets.keys, progress, tally.problem)
    except OSError as error:
        raise CaptureError(f"cannot write {output}: {error.strerror}", path=output) from error
    tally.report()
    if not tally.readings:
        detail = f"every advertisement ended as {' or '.join(tally.reasons)}" if tally.reasons else NOTHING
        raise why_nothing(tally.reasons, f"{', '.join(files)}: {detail}")
