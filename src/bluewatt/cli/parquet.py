"""`bluewatt decode --format parquet`: captures through the batch decoder (needs the `batch` extra)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path

import click

from bluewatt.cli.inputs import Input, progress
from bluewatt.cli.steps import packet_batches
from bluewatt.cli.tally import NOTHING, Tally, why_nothing
from bluewatt.errors import CaptureError
from bluewatt.faces.columns import ParquetWriter
from bluewatt.faces.value_columns import ValueWriter
from bluewatt.model.conversation import Conversation, Line
from bluewatt.services.keys import NamedKey
from bluewatt.transports.capture_frames import STANDARD_INPUT, ProblemCallback
from bluewatt.wire.acl import HciLinks, is_report
from bluewatt.wire.batch import Status
from bluewatt.wire.columns import BLOCK, Columns, pack, read_columns

_FRAMES_AT_ONCE = 8192
_BLUETOOTH_ADDRESS = 17  # characters; on macOS a device has a UUID instead, which captures do not know


def to_parquet(output: Path, files: Sequence[str], named: Sequence[NamedKey], *, reveal: bool = False) -> None:
    """Write the advertisements of all files to one Parquet file, the values told in conversations to another.

    Raises the reason when there was neither a reading nor a value.
    """
    tally = Tally()
    try:
        counts = _write_files(output, files, named, tally.problem)
        tally.lines = _write_values(output, files, reveal=reveal)
    except OSError as error:
        raise CaptureError(f"cannot write {output}: {error.strerror}", path=str(output)) from error
    tally.readings = counts.pop(Status.DECODED)
    tally.reasons = +Counter({_reason(status): count for status, count in counts.items()})
    tally.report()
    if not tally.readings and not tally.lines:
        detail = f"every advertisement ended as {' or '.join(tally.reasons)}" if tally.reasons else NOTHING
        raise why_nothing(tally.reasons, f"{', '.join(files)}: {detail}")


def _write_values(output: Path, files: Sequence[str], *, reveal: bool) -> int:
    """Write the registers told in conversations beside `output`, if there are any; how many."""
    with ValueWriter(values_path(output), reveal=reveal) as writer:
        for path in files:
            if path == STANDARD_INPUT:
                continue  # was read to its end for the advertisements
            with Input(path) as source:
                for line in _lines(source):
                    writer.add(line)
    if writer.count:
        click.echo(f"bluewatt: {writer.count} values told in conversations are in {writer.path}", err=True)
    return writer.count


def values_path(output: Path) -> Path:
    """Where the values told in conversations go: OUTPUT with ".values" before its suffix."""
    return output.with_name(f"{output.stem}.values{output.suffix}")


def _lines(source: Input) -> Iterator[Line]:
    """The conversations of a capture; its damage was told with the advertisements."""
    if source.is_recording:
        return
    links, conversation = HciLinks(), Conversation()
    with suppress(CaptureError):
        for packets in packet_batches(source):
            for packet in packets:
                if not is_report(packet[1], packet[3]) and (event := links.read(packet)):
                    yield from conversation.receive(event)
            links.problems.clear()


def _reason(status: Status) -> str:
    return status.error.__name__ if status.error else "NoRecord"


def _write_files(
    output: Path, files: Sequence[str], named: Sequence[NamedKey], on_problem: ProblemCallback
) -> dict[Status, int]:
    keys: dict[int, bytes | str] = {_number(address): key for address, key in named if _is_number(address)}
    loose = [key for address, key in named if address is None]
    with ParquetWriter(output, keys, loose=loose) as writer:
        for path in files:
            with Input(path, block=BLOCK) as source, progress(source):
                for columns in _columns(source, on_problem):
                    writer.add(columns)
    return writer.counts


def _is_number(address: str | None) -> bool:
    return address is not None and len(address) == _BLUETOOTH_ADDRESS


def _number(address: str | None) -> int:
    return int((address or "0").replace(":", ""), 16)


def _columns(source: Input, on_problem: ProblemCallback) -> Iterator[Columns]:
    if not source.is_recording:
        try:
            yield from read_columns(source.blocks(), on_problem)
        except CaptureError as error:
            message = f"{source.path}: {error}, at byte {error.offset}"
            raise (error if error.path else CaptureError(message, path=source.path, offset=error.offset)) from None
        return
    frames = source.frames(on_problem)
    while chunk := list(islice(frames, _FRAMES_AT_ONCE)):
        yield pack((frame.at, frame.address, 0, frame.rssi, 0, frame.payload, None) for frame in chunk)
