"""`bluewatt decode FILE`: everything in captures, recordings and logs, as a table, JSON Lines or CSV."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial

from bluewatt.app.decoding.contents import DecodeKeys, decode_input
from bluewatt.app.decoding.output import output_file
from bluewatt.app.decoding.summary import DecodeSummary, why_nothing
from bluewatt.errors import BluewattError, CaptureError
from bluewatt.exports.csv_values import to_csv
from bluewatt.exports.decoded_input import BLOCK_LINES, DecodedInput
from bluewatt.exports.jsonlines import to_json
from bluewatt.exports.terminal.names import NO_NAMES
from bluewatt.exports.terminal.progress import progress
from bluewatt.exports.text_table import to_table
from bluewatt.safe_write import SafeFile, Writable
from bluewatt.transports.capture.files import STANDARD_INPUT
from bluewatt.transports.capture.input import Input

FormatWriter = Callable[[Iterable[DecodedInput], Writable], None]
"""Writes decoded inputs in one format."""


def decode_files(
    files: Sequence[str],
    secrets: DecodeKeys,
    form: str,
    output: str | None,
    *,
    follow: bool = False,
    force: bool = False,
    names: Mapping[str, str] = NO_NAMES,
) -> None:
    """Decode all files into one output; raises the error that ended it, or the reason if there was not one reading.

    A table shows the `names` that devices were given, by address.
    """
    summary = DecodeSummary()
    write = partial(to_table, names=names) if form == "table" else WRITERS[form]
    try:
        if output is None:
            write(open_inputs(files, secrets, summary, follow=follow), sys.stdout.buffer)
        else:
            live = follow or STANDARD_INPUT in files
            with output_file(output, *files, force=force, private=secrets.reveal, live=live) as out:
                _write_and_keep(open_inputs(files, secrets, summary, follow=follow), write, out, summary, live=live)
    finally:
        summary.report()
    if not summary.readings and not summary.lines:
        raise why_nothing(summary.reasons, f"{', '.join(files)}: {summary.detail}")


def _write_and_keep(
    inputs: Iterator[DecodedInput], write: FormatWriter, out: SafeFile, summary: DecodeSummary, *, live: bool
) -> None:
    """Write, and keep what a damaged input held before the damage and what a live one gave before it was ended."""
    try:
        write(inputs, out)
    except (KeyboardInterrupt, SystemExit):
        if not live:
            raise
        out.keep()
        raise
    except BluewattError:
        out.keep()
        raise
    if (
        summary.readings or summary.lines or (summary.reasons and write is not to_csv)
    ):  # a CSV without values is a heading alone
        out.keep()


def open_inputs(
    files: Sequence[str], secrets: DecodeKeys, summary: DecodeSummary, *, follow: bool = False
) -> Iterator[DecodedInput]:
    """Yield each input, open until the next one is asked for."""
    for path in files:
        with Input(path, follow=follow) as source, progress(source):
            yield DecodedInput(
                decode_input(source, secrets, summary),
                source.origin,
                secrets.reveal,
                1 if source.is_live else BLOCK_LINES,
            )


def explain_number(path: str, secrets: DecodeKeys, number: int) -> None:
    """Print one message byte by byte; raises CaptureError if no message has that number."""
    from bluewatt.exports.explanation.message import explain_line, find_line

    with Input(path) as source:
        line = find_line(decode_input(source, secrets, DecodeSummary()), number)
    if line is None:
        raise CaptureError(f"{path}: there is no message {number}: the table shows their numbers", path=path)
    for text in explain_line(line, reveal=secrets.reveal):
        print(text)


def write_report(path: str, secrets: DecodeKeys, output: str, *, force: bool = False) -> None:
    """Write the HTML report of a capture; raises the reason, and writes nothing, if the capture holds nothing."""
    from bluewatt.exports.report.page import page
    from bluewatt.exports.report.report import CaptureReport

    summary = DecodeSummary()
    report = CaptureReport(path, reveal=secrets.reveal)
    with output_file(output, path, force=force, private=secrets.reveal) as out:
        with Input(path) as source, progress(source):
            for step in decode_input(source, secrets, summary):
                report.add(step)
        if summary.readings or summary.lines or summary.reasons:
            out.write(page(report).encode())
            out.keep()
    summary.report()
    if not summary.readings and not summary.lines:
        raise why_nothing(summary.reasons, f"{path}: {summary.detail}")


WRITERS: dict[str, FormatWriter] = {"json": to_json, "csv": to_csv, "table": to_table}
"""The writer of each format."""
