"""The frames of captures: btsnoop, pcap, pcapng and recordings, also gzipped, from a file, a pipe or standard input.

`read_frames` is the plain iterator; it uses `FrameReader`, which takes bytes by blocks, so that the memory needed does
not grow with the file. The source for an event loop is in `transports/capture/source.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import msgspec

from bluewatt.errors import CaptureError
from bluewatt.model.reading import Frame
from bluewatt.transports.capture.files import open_input, read_block, size_of
from bluewatt.transports.capture.gunzip import Gunzip
from bluewatt.transports.capture.recording import RecordingReader
from bluewatt.wire.bluetooth.advertisement_reader import AdvertisementReader
from bluewatt.wire.bluetooth.advertising_data import CapturedAdvertisement
from bluewatt.wire.containers import LONGEST_HEADER, Packet, open_container
from bluewatt.wire.containers.damage import Damage

_MAX_NAMES = 0x4000

ProblemCallback = Callable[[CaptureError], None]
"""What is called with each damage after which reading went on, with path and offset."""

ProgressCallback = Callable[[int, int | None], None]
"""What is called once per block with the bytes read so far and the size of the file (None for a pipe)."""


class CaptureCounters(msgspec.Struct):
    """The counters of a capture."""

    packets: int = 0
    """Packets of any kind (lines, for a recording)."""
    frames: int = 0
    """Advertisements of Victron devices."""
    problems: int = 0
    """Packets or lines that were malformed, and places where reading had to find the next packet."""
    bad_crc: int = 0
    """Packets a sniffer heard with a wrong CRC."""


class _Content(Protocol):
    """What a file holds: packets in a container or the lines of a recording."""

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
        self._damage = Damage()

    def feed(self, block: bytes) -> list[Frame]:
        return self._read(self._reader.feed(block))

    def finish(self) -> tuple[list[Frame], CaptureError | None]:
        packets, error = self._reader.finish()
        return self._read(packets), error

    def _read(self, packets: list[Packet]) -> list[Frame]:
        self._counters.packets += len(packets)
        frames: list[Frame] = []
        for run, checked in self._damage.split(packets, self.problems):
            frames += self._frames(self._advertisements.read(run), checked=checked)
        return frames

    def _frames(self, advertisements: list[CapturedAdvertisement], *, checked: bool) -> list[Frame]:
        frames: list[Frame] = []
        append, origin, names = frames.append, self._origin, self._names
        for at, address, _, rssi, _, payload, name in advertisements:
            if name is not None:
                if len(names) >= _MAX_NAMES:
                    names.clear()
                names[address] = name
            if payload is not None:
                append(Frame(at, origin, "advertisement", address, payload, rssi, names.get(address), checked))
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
    """A reader of the bytes of a capture (not gzipped) that gives frames: `feed` blocks, then `finish`.

    It finds out from the first bytes what the file is. Raises `CaptureError`, with the path in it, for a file that is
    no capture, is empty, is cut, or is of an unknown link type; frames before a cut are returned before it is raised.
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
        """Yield the last frames; then raise `CaptureError` if the capture is cut, damaged or none at all."""
        if not self._content:
            yield from self._counted(self._begin())
        if self._content:
            frames, error = self._content.finish()
            yield from self._counted(frames)
            if error:
                raise self._placed(error)

    def _begin(self) -> list[Frame]:
        """Choose the reader by the first bytes, and feed them to it."""
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
        """Return the same error with the path of the file and the place in its message."""
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

    Raises `CaptureError` if the file cannot be opened or read on; all whole packets before that were yielded.
    """
    reader = FrameReader(str(path), origin=origin, on_problem=on_problem, counters=counters)
    gunzip = Gunzip(str(path))
    with open_input(str(path)) as file:
        size, done = size_of(file), 0
        while block := read_block(file, str(path)):
            for piece in gunzip.feed(block):
                yield from reader.feed(piece)
            done += len(block)
            if on_progress:
                on_progress(done, size)
    for piece in gunzip.finish():
        yield from reader.feed(piece)
    yield from reader.finish()
