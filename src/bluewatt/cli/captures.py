"""`bluewatt decode FILE`: everything in captures, recordings and logs, as a table, JSON Lines or CSV."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import click

from bluewatt.cli.inputs import Input, progress
from bluewatt.cli.steps import Secrets, steps
from bluewatt.cli.tally import Tally, why_nothing
from bluewatt.cli.writers import BLOCK_LINES, WRITERS, Inlet
from bluewatt.errors import CaptureError


def decode_files(files: Sequence[str], secrets: Secrets, form: str, output: str | None, *, follow: bool) -> None:
    """Decode all files into one output; raises what ended it, or the reason when there was not one reading."""
    tally = Tally()
    try:
        with open_output(output, *files) as out:
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


def spare_inputs(output: str, read: Sequence[str]) -> None:
    """Raise `CaptureError` where a file to write is one that is read: writing would empty it first."""
    if Path(output).resolve() in {Path(one).resolve() for one in read}:
        raise CaptureError(f"{output} is the file that is read: name another one to write", path=output)


@contextmanager
def open_output(path: str | None, *read: str) -> Iterator[BinaryIO]:
    """The file to write, or standard output; never one of the files that are `read`."""
    if path is None:
        yield sys.stdout.buffer
        return
    spare_inputs(path, read)
    try:
        with Path(path).open("wb") as file:
            yield file
    except OSError as error:
        raise CaptureError(f"cannot write {path}: {error.strerror}", path=path) from error


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
    with open_output(output, path) as out:
        out.write(report.html().encode())
    tally.report()
    if not tally.readings and not tally.lines:
        raise why_nothing(tally.reasons, f"{path}: {tally.detail}")
