"""The files that options name, written safely and never replaced unasked; standard output if none is named."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

from bluewatt.errors import CaptureError, ExitCode
from bluewatt.exports.terminal.notices import confirm
from bluewatt.safe_write import SafeFile, Writable, holds_something, refuse_reading, same_file
from bluewatt.transports.capture.files import STANDARD_INPUT

_STDIN = 0


@contextmanager
def open_output(
    path: str | None, *read: str, force: bool = False, private: bool = False, live: bool = False
) -> Iterator[Writable]:
    """Open the file to write, or standard output for None; never one of the files that are `read`.

    The file appears, or is replaced, once the block has ended without an error; a `live` one however it ends. The other
    arguments and the errors are those of `output_file`.
    """
    if path is None:
        yield sys.stdout.buffer
        return
    with output_file(path, *read, force=force, private=private, live=live) as file:
        try:
            yield file
        except BaseException:
            if live:
                file.keep()  # however it ended: what was recorded is whole
            raise
        file.keep()


@contextmanager
def output_file(
    path: str, *read: str, force: bool = False, private: bool = False, live: bool = False
) -> Iterator[SafeFile]:
    """Open a file to write; it is discarded at the end of the block unless the block calls `keep`.

    Raises CaptureError, before anything is written, if the file is one that is `read`, or if it holds something and
    neither `force` nor a person at the terminal lets it be replaced. `private` is for secrets, `live` for a recording
    that goes on for hours.
    """
    check_output(path, *read, force=force)
    file = SafeFile(path, private=private, live=live)
    try:
        with _ended_by_signal():
            yield file
    finally:
        file.drop()


def check_output(path: str, *read: str, force: bool) -> None:
    """Raise CaptureError if a file must not be written: it is `read`, or holds something that must stay."""
    refuse_inputs(path, read)
    if force or not holds_something(path):
        return
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise CaptureError(f"{path} exists: --force replaces it, or name another file", path=path)
    if not confirm(f"{path} exists. Replace it?"):
        raise CaptureError(f"{path} is left as it was", path=path)


def refuse_inputs(path: str, read: Sequence[str]) -> None:
    """Raise CaptureError if a file to write is also read, be it as standard input."""
    refuse_reading(path, [one for one in read if one != STANDARD_INPUT])
    if STANDARD_INPUT in read and same_file(path, _STDIN):
        raise CaptureError(f"{path} is standard input: name another file to write", path=path)


@contextmanager
def _ended_by_signal() -> Iterator[None]:
    """Let SIGTERM raise SystemExit, so that an unfinished file is cleaned up."""
    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGTERM) != signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, _exit)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _exit(number: int, frame: FrameType | None) -> None:
    raise SystemExit(ExitCode.TERMINATED)
