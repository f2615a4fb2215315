"""Captures as a source: replayed at the speed they were recorded, at a multiple of it, or as fast as possible.

`transports/capture/frames.py` reads their content; this file adds the event loop and the clock.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncGenerator, Iterable, Iterator
from types import TracebackType
from typing import BinaryIO, Self
from urllib.parse import parse_qsl

from bluewatt.errors import ConfigError
from bluewatt.model.reading import Frame
from bluewatt.transports.capture.files import BLOCK, STANDARD_INPUT, open_input, read_block, size_of
from bluewatt.transports.capture.frames import CaptureCounters, FrameReader, ProblemCallback, ProgressCallback
from bluewatt.transports.capture.gunzip import Gunzip

_YIELD_EVERY = 64


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
        """Return the source for what follows "capture:" in a source string, such as "drive.pcapng?speed=10"."""
        path, _, query = text.partition("?")
        options = dict(parse_qsl(query, keep_blank_values=True))
        speed = _speed(options.pop("speed")) if "speed" in options else None
        if options or not path:
            what = f"unknown option {next(iter(options))!r}" if options else "no file named"
            raise ConfigError(f"source capture:{text}: {what}", hint="write capture:FILE or capture:FILE?speed=10")
        return cls(path, speed=speed, on_problem=on_problem, on_progress=on_progress)

    @property
    def counters(self) -> CaptureCounters:
        """The counters of what was read so far."""
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
        """Yield the frames of each piece of the capture; the last piece raises CaptureError for damage at the end."""
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
    """Blocks of a file without blocking the event loop: a pipe is waited for, a file on disk is simply read."""

    def __init__(self, path: str, file: BinaryIO) -> None:
        self.path = path
        self.size = size_of(file)
        self._file = file
        self._stream: asyncio.StreamReader | None = None
        self._transport: asyncio.ReadTransport | None = None

    @classmethod
    async def open(cls, path: str) -> Self:
        source = cls(path, open_input(path))
        if source.size is None:
            loop = asyncio.get_running_loop()
            source._stream = stream = asyncio.StreamReader(limit=BLOCK)
            protocol = asyncio.StreamReaderProtocol(stream)
            source._transport, _ = await loop.connect_read_pipe(lambda: protocol, source._file)
        return source

    async def read(self) -> bytes:
        if self._stream:
            return await self._stream.read(BLOCK)
        return read_block(self._file, self.path)

    def close(self) -> None:
        if self._transport:
            self._transport.close()
        else:
            self._file.close()
        if self._transport and self.path == STANDARD_INPUT:
            # Standard input may be shared with other programs (a terminal's is): leave it blocking, as it was found.
            os.set_blocking(sys.stdin.fileno(), True)


def _speed(text: str) -> float:
    try:
        speed = float(text)
    except ValueError:
        speed = 0.0
    if not 0 < speed < float("inf"):
        raise ConfigError(f"{text!r} is no replay speed", hint="write a number above zero, such as speed=10")
    return speed
