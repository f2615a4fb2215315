"""The recording of `--record`: JSON Lines, one object per frame, readable by people and by `capture:` again.

    {"at":1795200000.123,"source":"ble:hci0","medium":"advertisement","address":"AA:BB:CC:DD:EE:FF","payload":"100289a3…",
     "rssi":-65,"name":"SmartShunt HQ…"}

`at` is POSIX seconds (an ISO 8601 time is read too), `payload` hexadecimal. Payloads are stored as they were received,
encrypted: a recording holds no key. `"checked":false` marks a payload that no checksum vouches for.
"""

from __future__ import annotations

import errno
import os
import re
from contextlib import suppress
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import Annotated, Self

import msgspec
from msgspec import Meta

from bluewatt.errors import CaptureError, KeyProblem
from bluewatt.model.json_objects import FIRST_SECOND, LAST_SECOND
from bluewatt.model.keys import normal_address
from bluewatt.model.reading import Frame
from bluewatt.safe_write import Closable, LineFile, Writable, check_folder, holds_something
from bluewatt.wire.printable import printable

MAX_LINE = 0x10000
"""Bytes of the longest line that is read."""


class _Line(msgspec.Struct, gc=False, omit_defaults=True):
    """One line of a recording."""

    at: Annotated[float, Meta(ge=FIRST_SECOND, le=LAST_SECOND)] | datetime
    source: str
    medium: str
    address: str
    payload: str
    rssi: Annotated[int, Meta(ge=-128, le=127)] | None = None
    name: str | None = None
    checked: bool = True


_normal_address = lru_cache(maxsize=4096)(normal_address)
_TORN = re.compile(rb'\{("(a(t(":?)?)?)?)?|\{"at":\d[^{}]*')
"""A first line that a power cut left unfinished."""
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(_Line).decode


def encode_frame(frame: Frame) -> bytes:
    """Return the line of a frame, with its newline."""
    line = _Line(
        frame.at, frame.origin, frame.medium, frame.address, frame.payload.hex(), frame.rssi, frame.name, frame.checked
    )  # fmt: skip
    return _encode(line) + b"\n"


def parse_frame(line: bytes) -> Frame:
    """Return the frame of one line; raise `CaptureError` if it is none."""
    try:
        fields = _decode(line)
        payload = bytes.fromhex(fields.payload)
        address = _normal_address(fields.address)
    except (msgspec.MsgspecError, ValueError, KeyProblem) as error:
        raise CaptureError(f"not a line of a recording: {error}") from error
    at = fields.at
    if isinstance(at, datetime):
        at = (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
    name = printable(fields.name) if fields.name else fields.name
    return Frame(at, fields.source, fields.medium, address, payload, fields.rssi, name, fields.checked)


class RecordingReader:
    """A reader of recordings, block by block; after a bad line, which is noted in `problems`, it goes on."""

    def __init__(self) -> None:
        self.problems: list[CaptureError] = []
        self._good = 0
        self._rest = b""
        self._offset = 0

    def feed(self, block: bytes) -> list[Frame]:
        """Take the next bytes, return the frames of the lines they complete."""
        *lines, self._rest = (self._rest + block).split(b"\n")
        frames: list[Frame] = []
        for line in lines:
            self._line(line, frames)
        if len(self._rest) > MAX_LINE:
            self._line(self._rest, frames)
            self._rest = b""
        return frames

    def finish(self) -> tuple[list[Frame], CaptureError | None]:
        """Return the frame of a last line without newline, or the error of a cut one or of a file of other lines."""
        frames: list[Frame] = []
        before = len(self.problems)
        self._line(self._rest, frames)
        self._rest = b""
        if not self._good:
            return [], CaptureError("no line of it is one of a recording")
        return frames, (self.problems.pop() if len(self.problems) > before else None)

    def _line(self, line: bytes, frames: list[Frame]) -> None:
        if line.strip():
            try:
                frames.append(parse_frame(line))
                self._good += 1
            except CaptureError as error:
                self.problems.append(CaptureError(str(error), offset=self._offset))
        self._offset += len(line) + 1


class FrameRecorder:
    """A writer of recordings: each line is written at once, so that a power cut loses the last one at most."""

    def __init__(self, file: Writable, path: str = "") -> None:
        self.count = 0
        self._file = file
        self._path = path
        self._torn = False
        """Whether the last line was begun and could not be ended."""

    @classmethod
    def open(cls, path: str | Path) -> Self:
        """Append to the recording at `path`, which is made with the first frame.

        Raises CaptureError if another kind of file is there, or none can be made. A last line that a power cut left
        without its end is ended first, so that it spoils no other.
        """
        refuse_other_file(Path(path))
        return cls(LineFile(path), str(path))

    def write(self, frame: Frame) -> None:
        """Append one frame; raise `CaptureError` if the disk is full or gone."""
        try:
            self._put(encode_frame(frame))
        except OSError as error:
            named = f" {self._path}" if self._path else ""
            raise CaptureError(f"the recording{named} cannot go on: {error.strerror}", path=self._path) from error
        self.count += 1

    def _put(self, line: bytes) -> None:
        """Write a line; a file may take it in parts, and a part without the rest is ended before the next line."""
        rest = b"\n" + line if self._torn else line
        while rest:
            taken = self._file.write(rest)
            self._torn = True
            if taken == 0:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            rest = rest[taken:] if isinstance(taken, int) else b""
        self._torn = False

    def close(self) -> None:
        """Close the file."""
        if isinstance(self._file, Closable):
            self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def refuse_other_file(path: Path) -> None:
    """Raise CaptureError if a file holds something that is no recording, or if none can be made there."""
    try:
        if not holds_something(path):
            return check_folder(path)
        with path.open("rb") as file:
            lines = file.read(MAX_LINE).split(b"\n")
    except OSError as error:
        raise CaptureError(f"cannot write {path}: {error.strerror}", path=str(path)) from error
    if not any(map(_is_frame, lines)) and not (len(lines) == 1 and _TORN.fullmatch(lines[0])):
        raise CaptureError(f"{path} is no recording: it is left alone, name another file", path=str(path))


def _is_frame(line: bytes) -> bool:
    with suppress(CaptureError):
        parse_frame(line)
        return True
    return False
