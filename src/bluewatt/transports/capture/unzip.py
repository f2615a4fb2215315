"""zip as a stream: the files in it one after the other, in bounded memory, from a pipe as well, and no bombs.

Only what phones write is read: stored and deflated files, one level deep. Layout: the zip application note (APPNOTE),
section 4.3.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

from bluewatt.errors import CaptureError

MAGIC = b"PK\x03\x04"
"""How a zip file begins, and each file in it."""

_HEADER = struct.Struct("<4sHHHHHIIIHH")
_DIRECTORY = (b"PK\x01\x02", b"PK\x05\x06", b"PK\x06\x06")
_ENCRYPTED, _SIZES_BEHIND = 0x0001, 0x0008
_STORED, _DEFLATED = 0, 8
_ZIP64 = 0xFFFFFFFF
_PIECE = 0x10000
_HARMLESS = 64 << 20
_MAX_RATIO = 200
_MOST_FILES = 100_000
_LONGEST_DESCRIPTOR = 24


class Unzip:
    """The files of a zip whose bytes come in blocks: `for name, pieces in Unzip(path, blocks)`.

    The pieces of a file that are not taken are skipped. Raises `CaptureError`, with the offset, for damage, encryption,
    an unknown compression and a decompression bomb.
    """

    def __init__(self, path: str, blocks: Iterator[bytes]) -> None:
        self.path = path
        self._blocks = blocks
        self._buffer = b""
        self._taken = 0
        self._given = 0

    def __iter__(self) -> Iterator[tuple[str, Iterator[bytes]]]:
        for _ in range(_MOST_FILES):
            if not self._fill(4) or self._buffer[:4] in _DIRECTORY:
                return
            if self._buffer[:4] != MAGIC or not self._fill(_HEADER.size):
                raise self._error("the zip is damaged")
            name, pieces = self._file()
            yield name, pieces
            for _ in pieces:
                pass
        raise self._error(f"a zip of more than {_MOST_FILES} files")

    @property
    def _offset(self) -> int:
        return self._taken - len(self._buffer)

    def _fill(self, count: int) -> bool:
        """Have `count` bytes in the buffer, if there are as many."""
        while len(self._buffer) < count and (block := next(self._blocks, None)) is not None:
            self._taken += len(block)
            self._buffer += block
        return len(self._buffer) >= count

    def _take(self, count: int) -> bytes:
        if not self._fill(count):
            raise self._error("the zip is cut")
        taken, self._buffer = self._buffer[:count], self._buffer[count:]
        return taken

    def _file(self) -> tuple[str, Iterator[bytes]]:
        fields = _HEADER.unpack(self._take(_HEADER.size))
        _, _, flags, method, _, _, _, packed, _, name_length, extra_length = fields
        name = self._take(name_length).decode("utf-8", "replace")
        extra = self._take(extra_length)
        if flags & _ENCRYPTED:
            raise self._error(f"{name} in the zip is encrypted")
        if method == _DEFLATED:
            return name, self._inflated(behind=bool(flags & _SIZES_BEHIND))
        if method != _STORED or flags & _SIZES_BEHIND:
            raise self._error(f"{name} in the zip is packed in a way this program does not read")
        return name, self._stored(_long_size(extra) if packed == _ZIP64 else packed)

    def _stored(self, left: int) -> Iterator[bytes]:
        while left:
            piece = self._take(min(left, _PIECE))
            left -= len(piece)
            yield piece

    def _inflated(self, *, behind: bool) -> Iterator[bytes]:
        expander = zlib.decompressobj(-zlib.MAX_WBITS)
        ended = False
        while not ended:
            if not self._fill(1):
                raise self._error("the zip is cut")
            try:
                piece = expander.decompress(self._buffer, _PIECE)
            except zlib.error:
                raise self._error("the zip is damaged") from None
            ended = expander.eof
            self._buffer = expander.unused_data if ended else expander.unconsumed_tail
            self._given += len(piece)
            if self._given > _HARMLESS and self._given > _MAX_RATIO * self._taken:
                raise self._error("the zip expands beyond all measure, as a decompression bomb does")
            if piece:
                yield piece
        if behind:
            self._skip_descriptor()

    def _skip_descriptor(self) -> None:
        """Sizes behind a file have 12 to 24 bytes: the next file, or the directory, tells where they end."""
        self._fill(_LONGEST_DESCRIPTOR + 4)
        for mark in (MAGIC, *_DIRECTORY):
            found = self._buffer.find(mark, 12, _LONGEST_DESCRIPTOR + 4)
            if found >= 0:
                self._buffer = self._buffer[found:]
                return
        raise self._error("the zip is damaged")

    def _error(self, what: str) -> CaptureError:
        return CaptureError(f"{self.path}: {what}, at byte {self._offset}", path=self.path, offset=self._offset)


def _long_size(extra: bytes) -> int:
    """The packed size of a file too large for 32 bits (extra field 1: size, then packed size)."""
    position = 0
    while position + 4 <= len(extra):
        kind, length = struct.unpack_from("<HH", extra, position)
        if kind == 1 and length >= 16:
            return int.from_bytes(extra[position + 12 : position + 20], "little")
        position += 4 + length
    return 0
