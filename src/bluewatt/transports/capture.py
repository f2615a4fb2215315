"""Capture files as a source: btsnoop, pcap, pcapng and recordings, also gzipped, from a file, a pipe or standard input.

`read_frames` is the plain iterator behind `bluewatt decode`; `CaptureSource` is the same as a source, replayed at the
speed it was recorded, a multiple of it, or as fast as it goes. Both stand on `FrameReader`, which takes bytes by
blocks, so that a file of any size needs the same memory.
"""

from __future__ import annotations

import asyncio
import os
import stat
import sys
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Protocol, Self
from urllib.parse import parse_qsl

import msgspec

from bluewatt.errors import CaptureError, ConfigError
from bluewatt.model.reading import Frame
from bluewatt.transports.gunzip import Gunzip
from bluewatt.transports.recording import RecordingReader
from bluewatt.wire.ad_structures import Advertisement
from bluewatt.wire.advertising import AdvertisementReader
from bluewatt.wire.containers import LONGEST_HEADER, open_container

BLOCK = 0x10000
"""Bytes read at once; larger blocks measured slower, their packets leave the processor's cache."""

STANDARD_INPUT = "-"
"""The path that means standard input."""

_YIELD_EVERY = 64
_MAX_NAMES = 0x4000

ProblemCallback = Callable[[CaptureError], None]
"""Told of each damage the reading survived, with path and offset."""

ProgressCallback = Callable[[int, int | None], None]
"""Told the bytes read so far and the size of the file (None for a pipe), once per block."""


class CaptureCounters(msgspec.Struct):
    """What a capture held."""

    packets: int = 0
    """Packets of any kind (lines, for a recording)."""
    frames: int = 0
    """Advertisements of Victron devices."""
    problems: int = 0
    """Packets or lines that were malformed, and places where the reading lost and found its way."""
    bad_crc: int = 0
    """Packets a sniffer heard with a wrong CRC."""


class _Content(Protocol):
    """What stands behind the first bytes: packets in a container or the lines of a recording."""

    problems: list[CaptureError]

    def feed(self, block: bytes) -> list[Frame]: ...

    def finish(self) -> tuple[list[Frame], CaptureError | None]: ...


class _ContainerFrames:
    """The frames of a packet container."""

    def __init__(self, head: bytes, origin: str, counters: CaptureCounters) -> None:
        self._reader, self.rest = open_container(head)
        self._advertisements = AdvertisementReader()
        self.problems = self._advertisements.problems
        self._reader.problems = self.problems
        self._origin = origin
        self._counters = counters
        self._names: dict[str, str] = {}

    def feed(self, block: bytes) -> list[Frame]:
        packets = self._reader.feed(block)
        self._counters.packets += len(packets)
        return self._frames(self._advertisements.read(packets))

    def finish(self) -> tuple[list[Frame], CaptureError | None]:
        packets, error = self._reader.finish()
        self._counters.packets += len(packets)
        return self._frames(self._advertisements.read(packets)), error

    def _frames(self, advertisements: list[Advertisement]) -> list[Frame]:
        frames: list[Frame] = []
        append, origin, names = frames.append, self._origin, self._names
        for at, address, _, rssi, _, payload, name in advertisements:
            if name is not None:
                if len(names) >= _MAX_NAMES:
                    names.clear()
                names[address] = name
            if payload is not None:
                append(Frame(at, origin, "advertisement", address, payload, rssi, names.get(address)))
        self._counters.bad_crc = self._advertisements.bad_crc
        return frames


class _RecordingFrames(RecordingReader):
    """The frames of a recording; they keep the source they were recorded from."""

    def __init__(self, counters: CaptureCounters) -> None:
        super().__init__()
        self._counters = counters

    def feed(self, block: bytes) -> list[Frame]:
        frames = super().feed(block)
        self._counters.packets += len(frames)
        return frames


class FrameReader:
    """Turns the bytes of a capture (not gzipped) into frames: `feed` blocks, then `finish`.

    What the file is, it finds out from the first bytes. Raises `CaptureError`, with the path in it, for what is no
    capture, is empty, is cut, or is of an unknown link type; frames before a cut are returned before it is raised.
    """

    def __init__(
        self,
        path: str,
        *,
        origin: str | None = None,
        on_problem: ProblemCallback | None = None,
        counters: CaptureCounters | None = None,
    ) -> None:
        self.path = path
        self.counters = counters or CaptureCounters()
        self._origin = origin or f"capture:{path}"
        self._on_problem = on_problem
        self._head = b""
        self._content: _Content | None = None

    def feed(self, block: bytes) -> list[Frame]:
        """Take the next bytes, return the frames they complete."""
        if self._content:
            return self._counted(self._content.feed(block))
        self._head += block
        return self._counted(self._begin()) if len(self._head) >= LONGEST_HEADER else []

    def finish(self) -> Iterator[Frame]:
        """Yield the last frames; then raise `CaptureError` when the capture was cut, lost or never one."""
        if not self._content:
            yield from self._counted(self._begin())
        if self._content:
            frames, error = self._content.finish()
            yield from self._counted(frames)
            if error:
                raise self._placed(error)

    def _begin(self) -> list[Frame]:
        """Find out what the first bytes begin, and feed them to that."""
        if self._head.lstrip()[:1] == b"{":
            self._content = _RecordingFrames(self.counters)
            return self._content.feed(self._head)
        try:
            self._content = content = _ContainerFrames(self._head, self._origin, self.counters)
        except CaptureError as error:
            raise self._placed(error) from None
        return content.feed(content.rest)

    def _counted(self, frames: list[Frame]) -> list[Frame]:
        self.counters.frames += len(frames)
        if self._content and self._content.problems:
            self.counters.problems += len(self._content.problems)
            for problem in self._content.problems:
                if self._on_problem:
                    self._on_problem(self._placed(problem))
            self._content.problems.clear()
        return frames

    def _placed(self, error: CaptureError) -> CaptureError:
        """The same error with the path of the file, its message saying where."""
        return CaptureError(f"{self.path}: {error}, at byte {error.offset}", path=self.path, offset=error.offset)


def read_frames(
    path: str | Path,
    *,
    origin: str | None = None,
    on_problem: ProblemCallback | None = None,
    on_progress: ProgressCallback | None = None,
    counters: CaptureCounters | None = None,
) -> Iterator[Frame]:
    """Yield the frames of a capture as fast as they are asked for; what it holds is counted in `counters`.

    Raises `CaptureError` where the file cannot be opened or read on; all whole packets before that were yielded.
    """
    reader = FrameReader(str(path), origin=origin, on_problem=on_problem, counters=counters)
    gunzip = Gunzip(str(path))
    with _open_input(str(path)) as file:
        size, done = _size(file), 0
        while block := _read(file, str(path)):
            for piece in gunzip.feed(block):
                yield from reader.feed(piece)
            done += len(block)
            if on_progress:
                on_progress(done, size)
    for piece in gunzip.finish():
        yield from reader.feed(piece)
    yield from reader.finish()


class CaptureSource:
    """A capture replayed: an async context manager, then an async iterator of frames.

    `speed` 1 replays at the pace of the time stamps, 10 ten times as fast, None as fast as the reader of the frames
    takes them. The iteration ends with the capture; damage at the end of it raises `CaptureError` there.
    """

    def __init__(
        self,
        path: str,
        *,
        speed: float | None = None,
        origin: str | None = None,
        on_problem: ProblemCallback | None = None,
        on_progress: ProgressCallback | None = None,
    ) -> None:
        self.path = path
        self.speed = speed
        self.origin = origin or f"capture:{path}"
        self._reader = FrameReader(path, origin=self.origin, on_problem=on_problem)
        self._on_progress = on_progress
        self._input: _AsyncInput | None = None
        self._batches: AsyncGenerator[Iterable[Frame], None] | None = None
        self._pending: Iterator[Frame] = iter(())
        self._given = 0
        self._start: tuple[float, float] | None = None

    @classmethod
    def from_text(
        cls, text: str, *, on_problem: ProblemCallback | None = None, on_progress: ProgressCallback | None = None
    ) -> Self:
        """Open what stands behind "capture:" in a source string, such as "drive.pcapng?speed=10"."""
        path, _, query = text.partition("?")
        options = dict(parse_qsl(query, keep_blank_values=True))
        speed = _speed(options.pop("speed")) if "speed" in options else None
        if options or not path:
            what = f"unknown option {next(iter(options))!r}" if options else "no file named"
            raise ConfigError(f"source capture:{text}: {what}", hint="write capture:FILE or capture:FILE?speed=10")
        return cls(path, speed=speed, on_problem=on_problem, on_progress=on_progress)

    @property
    def counters(self) -> CaptureCounters:
        """What the capture held so far."""
        return self._reader.counters

    async def __aenter__(self) -> Self:
        self._input = await _AsyncInput.open(self.path)
        self._batches = self._read(self._input)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._batches:
            await self._batches.aclose()
        if self._input:
            self._input.close()
            self._input = None

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Frame:
        while (frame := next(self._pending, None)) is None:
            if not self._batches:
                raise StopAsyncIteration
            self._pending = iter(await anext(self._batches))
        await self._pace(frame)
        return frame

    async def _read(self, source: _AsyncInput) -> AsyncGenerator[Iterable[Frame], None]:
        """Yield the frames of each piece of the capture; the last ones raise what is wrong at its end."""
        gunzip, done = Gunzip(self.path), 0
        while block := await source.read():
            for piece in gunzip.feed(block):
                yield self._reader.feed(piece)
            done += len(block)
            if self._on_progress:
                self._on_progress(done, source.size)
        for piece in gunzip.finish():
            yield self._reader.feed(piece)
        yield self._reader.finish()

    async def _pace(self, frame: Frame) -> None:
        self._given += 1
        if self.speed is None:
            if self._given % _YIELD_EVERY == 0:
                await asyncio.sleep(0)
            return
        now = asyncio.get_running_loop().time()
        if self._start is None:
            self._start = frame.at, now
        first, started = self._start
        wait = (frame.at - first) / self.speed - (now - started)
        # Time stamps may go backwards (a clock was set): then nothing is waited for.
        await asyncio.sleep(max(0.0, wait))


class _AsyncInput:
    """Blocks of a file without holding up the loop: a pipe is waited for, a file on disk is simply read."""

    def __init__(self, path: str, file: BinaryIO) -> None:
        self.path = path
        self.size = _size(file)
        self._file = file
        self._stream: asyncio.StreamReader | None = None
        self._transport: asyncio.ReadTransport | None = None

    @classmethod
    async def open(cls, path: str) -> Self:
        source = cls(path, _open_input(path))
        if source.size is None:
            loop = asyncio.get_running_loop()
            source._stream = stream = asyncio.StreamReader(limit=BLOCK)
            protocol = asyncio.StreamReaderProtocol(stream)
            source._transport, _ = await loop.connect_read_pipe(lambda: protocol, source._file)
        return source

    async def read(self) -> bytes:
        if self._stream:
            return await self._stream.read(BLOCK)
        return _read(self._file, self.path)

    def close(self) -> None:
        if self._transport:
            self._transport.close()
        else:
            self._file.close()
        if self._transport and self.path == STANDARD_INPUT:
            # Standard input may be shared with other programs (a terminal's is): leave it blocking, as it was found.
            os.set_blocking(sys.stdin.fileno(), True)


def _open_input(path: str) -> BinaryIO:
    try:
        if path == STANDARD_INPUT:
            return os.fdopen(os.dup(sys.stdin.fileno()), "rb", buffering=0)
        return Path(path).open("rb", buffering=0)
    except OSError as error:
        raise CaptureError(f"cannot read {path}: {error.strerror}", path=path) from error


def _read(file: BinaryIO, path: str) -> bytes:
    try:
        return file.read(BLOCK)
    except OSError as error:
        raise CaptureError(f"cannot read {path}: {error.strerror}", path=path) from error


def _size(file: BinaryIO) -> int | None:
    status = os.fstat(file.fileno())
    return status.st_size if stat.S_ISREG(status.st_mode) else None


def _speed(text: str) -> float:
    try:
        speed = float(text)
    except ValueError:
        speed = 0.0
    if not 0 < speed < float("inf"):
        raise ConfigError(f"a replay speed of {text!r}", hint="a number above zero, such as speed=10")
    return speed
