"""Open captures and recordings, read them in blocks, split them into lines."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from bluewatt.errors import CaptureError

BLOCK = 0x10000
"""Bytes read at once; larger blocks were measured to be slower, since their packets leave the processor's cache."""

STANDARD_INPUT = "-"
"""The path that means standard input."""


def open_input(path: str) -> BinaryIO:
    """Open a file or standard input, not buffered; raises CaptureError if that is impossible."""
    try:
        if path == STANDARD_INPUT:
            return os.fdopen(os.dup(sys.stdin.fileno()), "rb", buffering=0)
        return Path(path).open("rb", buffering=0)
    except OSError as error:
        raise CaptureError(f"cannot read {path}: {error.strerror}", path=path) from error


def read_block(file: BinaryIO, path: str, size: int = BLOCK) -> bytes:
    """Return the next bytes, none at the end; raises CaptureError if they cannot be read."""
    try:
        return file.read(size) or b""
    except OSError as error:
        raise CaptureError(f"cannot read {path}: {error.strerror}", path=path) from error


def size_of(file: BinaryIO) -> int | None:
    """Return the size of a file on disk in bytes, None for a pipe."""
    status = os.fstat(file.fileno())
    return status.st_size if stat.S_ISREG(status.st_mode) else None


LONGEST_LINE = 1 << 16
"""Bytes of the longest line of a text that is read: no tool writes a longer one, and searching it takes long."""


def split_lines(blocks: Iterable[bytes], on_long: Callable[[], None] | None = None) -> Iterator[str]:
    """Yield the lines of a text that comes in blocks; `on_long` is called for the first one over LONGEST_LINE."""
    for line in _short_lines(blocks):
        if line is not None:
            yield line.decode(errors="replace")
        elif on_long:
            on_long()
            on_long = None


def _short_lines(blocks: Iterable[bytes]) -> Iterator[bytes | None]:
    """Yield the lines, None in place of a long one, of which no more than a block is kept."""
    rest, is_long = b"", False
    for block in blocks:
        *lines, rest = (rest + block).split(b"\n")
        for line in lines:
            yield None if is_long or len(line) > LONGEST_LINE else line
            is_long = False
        if is_long or len(rest) > LONGEST_LINE:
            rest, is_long = b"", True
    yield None if is_long else rest
