"""`bluewatt decode --format parquet`: captures through the batch decoder (needs the `batch` extra)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from bluewatt.app.decoding.output import check_output, output_file
from bluewatt.app.decoding.summary import NOTHING, DecodeSummary, why_nothing
from bluewatt.errors import CaptureError
from bluewatt.exports.parquet.advertisements import ParquetWriter
from bluewatt.exports.terminal.progress import progress
from bluewatt.model.reasons import NO_RECORD, reasons_text
from bluewatt.safe_write import SafeFile
from bluewatt.services.keys import NamedKey
from bluewatt.transports.capture.frames import ProblemCallback
from bluewatt.transports.capture.input import Input
from bluewatt.wire.bluetooth.packets import PacketKind
from bluewatt.wire.containers.columns import BLOCK, Columns, pack, read_columns
from bluewatt.wire.instant_readout.batch import Status
from bluewatt.wire.instant_readout.cipher import Key, ShortKey

_FRAMES_AT_ONCE = 8192
_BLUETOOTH_ADDRESS = 17  # characters; on macOS a device has a UUID instead, which captures do not know


def to_parquet(
    output: Path, files: Sequence[str], named: Sequence[NamedKey], *, reveal: bool = False, force: bool = False
) -> None:
    """Write the advertisements of all files to one Parquet file, the values in their conversations to another.

    Raises the reason if there was neither a reading nor a value.
    """
    check_output(str(values_path(output)), *files, force=force)
    summary = DecodeSummary()
    with output_file(str(output), *files, force=force) as file:
        with_connections = _write_advertisements(file, files, named, summary)
    if with_connections:
        from bluewatt.app.decoding.parquet_values import write_values

        summary.lines = write_values(values_path(output), with_connections, reveal=reveal)
    summary.report()
    if not summary.readings and not summary.lines:
        detail = f"no values: {reasons_text(summary.reasons)}" if summary.reasons else NOTHING
        raise why_nothing(summary.reasons, f"{', '.join(files)}: {detail}")


def values_path(output: Path) -> Path:
    """Return where the values in conversations go: OUTPUT with ".values" before its suffix."""
    return output.with_name(f"{output.stem}.values{output.suffix}")


def _write_advertisements(
    file: SafeFile, files: Sequence[str], named: Sequence[NamedKey], summary: DecodeSummary
) -> Sequence[str]:
    """Write one file and keep it if it has a row, even if an input is damaged; return the files with connections."""
    try:
        counts, with_connections = _write_files(file.path_to_write(), files, named, summary.problem)
    except CaptureError:
        file.keep()  # what stood before the damage
        raise
    except OSError as error:
        raise CaptureError(f"cannot write {file.path}: {error.strerror or error}", path=str(file.path)) from error
    if any(counts.values()):
        file.keep()
    summary.readings = counts.pop(Status.DECODED)
    summary.reasons = +Counter({_reason(status): count for status, count in counts.items()})
    return with_connections


def _reason(status: Status) -> str:
    return status.error.__name__ if status.error else NO_RECORD


def _write_files(
    output: Path, files: Sequence[str], named: Sequence[NamedKey], on_problem: ProblemCallback
) -> tuple[dict[Status, int], list[str]]:
    """Write the advertisements; return what became of them, and the files that hold packets of connections."""
    with_connections: list[str] = []
    keys: dict[int, bytes | str] = {
        _number(address): key for address, key in named if _is_number(address) and isinstance(key, Key)
    }
    loose = [key for address, key in named if address is None and isinstance(key, Key)]
    for _, key in named:
        loose += key.possible() if isinstance(key, ShortKey) else ()
    with ParquetWriter(output, keys, loose=loose) as writer:
        for path in files:
            with Input(path, block=BLOCK) as source, progress(source):
                kinds: set[int] = set()
                for columns in _columns(source, on_problem, kinds):
                    writer.add(columns)
                if PacketKind.ACL in kinds:
                    with_connections.append(path)
    return writer.counts, with_connections


def _is_number(address: str | None) -> bool:
    return address is not None and len(address) == _BLUETOOTH_ADDRESS


def _number(address: str | None) -> int:
    return int((address or "0").replace(":", ""), 16)


def _columns(source: Input, on_problem: ProblemCallback, kinds: set[int]) -> Iterator[Columns]:
    if not source.is_recording:
        try:
            for blocks in source.captures():
                yield from read_columns(blocks, on_problem, kinds)
        except CaptureError as error:
            message = f"{source.path}: {error}, at byte {error.offset}"
            raise (error if error.path else CaptureError(message, path=source.path, offset=error.offset)) from None
        return
    frames = source.frames(on_problem)
    while chunk := list(islice(frames, _FRAMES_AT_ONCE)):
        yield pack((frame.at, frame.address, 0, frame.rssi, 0, frame.payload, None) for frame in chunk)
