"""`bluewatt decode FILE`: everything in captures, recordings and logs, as a table, JSON Lines, CSV or Parquet."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import click

from bluewatt.cli.decode import why_nothing
from bluewatt.cli.inputs import Input
from bluewatt.cli.steps import NOTHING, Secrets, Tally, steps
from bluewatt.cli.writers import BLOCK_LINES, WRITERS, Inlet
from bluewatt.errors import CaptureError, ConfigError

WORTH_A_BAR = 4 << 20
"""A file of so many bytes gets a progress bar."""
PARQUET_BLOCK = 1 << 20


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


def explain_number(path: str, secrets: Secrets, number: int) -> None:
    """Print one message byte by byte; raises `CaptureError` where there is none of that number."""
    from bluewatt.cli.byte_by_byte import explain_line, find_line

    with Input(path) as source:
        line = find_line(steps(source, secrets, Tally()), number)
    if line is None:
        raise CaptureError(f"{path}: there is no message {number}: the table shows their numbers", path=path)
    for text in explain_line(line, reveal=secrets.reveal):
        click.echo(text)


def write_report(path: str, secrets: Secrets, output: str) -> None:
    """Write the HTML report of a capture."""
    from bluewatt.faces.report import Report

    tally = Tally()
    report = Report(path, reveal=secrets.reveal)
    with Input(path) as source, progress(source):
        for step in steps(source, secrets, tally):
            report.add(step)
    with open_output(output) as out:
        out.write(report.html().encode())
    tally.report()
    if not tally.readings and not tally.lines:
        raise why_nothing(tally.reasons, f"{path}: {tally.detail}")


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
