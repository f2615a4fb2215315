"""The input of `bluewatt decode`: captures, recordings, logs of other tools, from files or standard input."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import chain
from types import TracebackType
from typing import Self

from bluewatt.errors import CaptureError
from bluewatt.model.reading import Frame
from bluewatt.transports.capture.files import BLOCK, open_input, read_block, size_of, split_lines
from bluewatt.transports.capture.frames import FrameReader, ProblemCallback
from bluewatt.transports.capture.gunzip import Gunzip
from bluewatt.transports.capture.untar import BLOCK as TAR_BLOCK
from bluewatt.transports.capture.untar import Untar, is_tar
from bluewatt.transports.capture.unzip import MAGIC as ZIP_MAGIC
from bluewatt.transports.capture.unzip import Unzip
from bluewatt.wire.containers import LONGEST_HEADER, is_capture
from bluewatt.wire.printable import printable

_TEXT_SAMPLE = 2048
_IN_TEXT = frozenset("\r\n\t\x1b\x01\x02\x07\x08\ufeff")
"""Characters in logs of terminals besides letters: colours, marks of the line editor, a bell, a byte order mark."""
_ENOUGH_TO_TELL = max(LONGEST_HEADER, TAR_BLOCK)
_POLL = 0.1
"""Seconds between two looks at a file that grows."""


class Input:
    """An open file or standard input; its first bytes were read to find out what it is, and `blocks()` gives all."""

    def __init__(self, path: str, *, block: int = BLOCK, follow: bool = False) -> None:
        self.path = path
        self.follow = follow
        """Whether to wait for more at the end of the file, for ever."""
        self.origin = f"capture:{path}"
        self.on_progress: Callable[[int], None] | None = None
        """What is called once per block with the bytes read so far."""
        self._block = block
        self._file = open_input(path)
        self.size = size_of(self._file)
        """Bytes, None for a pipe."""
        self._head = self._read()
        self._sample = _expanded(path, self._head)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    @property
    def is_live(self) -> bool:
        """Whether its next bytes may take long to arrive: a pipe, or a file that grows."""
        return self.size is None or self.follow

    @property
    def archive(self) -> str:
        """The kind of archive: "zip" (an Android bug report), "tar" (a sysdiagnose), or "" for none."""
        return archive_kind(self._sample)

    @property
    def is_recording(self) -> bool:
        """Whether it looks like JSON Lines of `--record`."""
        return self._sample.lstrip()[:1] == b"{"

    @property
    def is_text(self) -> bool:
        """Whether it looks like text for people, such as another tool's log."""
        sample = self._sample
        if not sample or b"\0" in sample or self.is_recording:
            return False
        with suppress(UnicodeDecodeError):
            text = sample[: sample.rfind(b"\n") + 1 or None].decode()
            return all(letter.isprintable() or letter in _IN_TEXT for letter in text)
        return False

    def blocks(self) -> Iterator[bytes]:
        """Yield all bytes in blocks, expanded if they are gzipped."""
        gunzip, done, block = Gunzip(self.path), 0, self._head
        while block:
            yield from gunzip.feed(block)
            done += len(block)
            if self.on_progress:
                self.on_progress(done)
            block = self._read()
        yield from gunzip.finish()

    def files(self) -> Iterator[tuple[str, Iterator[bytes]]]:
        """Yield the files of an archive, each with its blocks, expanded if they are gzipped."""
        unpack = Unzip if self.archive == "zip" else Untar
        for raw_name, pieces in unpack(self.path, self.blocks()):
            name = printable(raw_name)
            yield name, _gunzipped(f"{self.path}, {name}", pieces)

    def captures(self) -> Iterator[Iterator[bytes]]:
        """Yield the blocks of every capture: those in an archive, else the whole input, whatever it is."""
        if not self.archive:
            yield self.blocks()
            return
        for _, blocks in self.files():
            head, whole = peeked(blocks)
            if is_capture(head):
                yield whole

    def lines(self, on_long: Callable[[], None] | None = None) -> Iterator[str]:
        """Yield the lines of a text without those over LONGEST_LINE; `on_long` is called for the first of these."""
        return split_lines(self.blocks(), on_long)

    def frames(self, on_problem: ProblemCallback | None = None) -> Iterator[Frame]:
        """Yield the frames of a capture or recording; raises CaptureError for damage, after the whole frames before."""
        reader = FrameReader(self.path, origin=self.origin, on_problem=on_problem)
        for block in self.blocks():
            yield from reader.feed(block)
        yield from reader.finish()

    def placed(self, error: CaptureError) -> CaptureError:
        """Return the same error with the path of the file and the place in its message."""
        if error.path:
            return error
        return CaptureError(f"{self.path}: {error}, at byte {error.offset}", path=self.path, offset=error.offset)

    def _read(self) -> bytes:
        while not (block := read_block(self._file, self.path, self._block)) and self.follow:
            time.sleep(_POLL)
        return block


def archive_kind(head: bytes) -> str:
    """Return the kind of archive that begins with `head`, "" if it is no archive."""
    return "zip" if head.startswith(ZIP_MAGIC) else "tar" if is_tar(head) else ""


def peeked(blocks: Iterator[bytes]) -> tuple[bytes, Iterator[bytes]]:
    """Return the first bytes, enough to tell what a file is, and all of its blocks."""
    head = b""
    while len(head) < _ENOUGH_TO_TELL and (block := next(blocks, None)) is not None:
        head += block
    return head, chain((head,), blocks)


def _gunzipped(path: str, blocks: Iterable[bytes]) -> Iterator[bytes]:
    gunzip = Gunzip(path)
    for block in blocks:
        yield from gunzip.feed(block)
    yield from gunzip.finish()


def _expanded(path: str, head: bytes) -> bytes:
    """Return the first bytes of the content; none if its gzip data is damaged, which reading it will report."""
    with suppress(CaptureError):
        return next(iter(Gunzip(path).feed(head)), b"")[:_TEXT_SAMPLE]
    return b""
