"""zip as a stream: the files in it one after the other, in bounded memory, also from a pipe.

Only what phones write is read: stored and deflated files, one level deep. Layout: the zip application note (APPNOTE),
section 4.3.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

from bluewatt.transports.capture.block_buffer import PIECE, BlockBuffer, is_bomb

MAGIC = b"PK\x03\x04"
"""The first bytes of a zip file, and of each file in it."""

_HEADER = struct.Struct("<4sHHHHHIIIHH")
_DIRECTORY = (b"PK\x01\x02", b"PK\x05\x06", b"PK\x06\x06")
_ENCRYPTED, _SIZES_BEHIND = 0x0001, 0x0008
_STORED, _DEFLATED = 0, 8
_ZIP64 = 0xFFFFFFFF
_MOST_FILES = 100_000
_LONGEST_DESCRIPTOR = 24


class Unzip(BlockBuffer):
    """The files of a zip whose bytes come in blocks: `for name, pieces in Unzip(path, blocks)`.

    Pieces of a file that are not taken are skipped. Raises `CaptureError`, with the offset, for damage, encryption, an
    unknown compression and a decompression bomb.
    """

    kind = "zip"

    def __init__(self, path: str, blocks: Iterator[bytes]) -> None:
        super().__init__(path, blocks)
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
            piece = self._take(min(left, PIECE))
            left -= len(piece)
            yield piece

    def _inflated(self, *, behind: bool) -> Iterator[bytes]:
        expander = zlib.decompressobj(-zlib.MAX_WBITS)
        ended = False
        while not ended:
            if not self._fill(1):
                raise self._error("the zip is cut")
            try:
                piece = expander.decompress(self._buffer, PIECE)
            except zlib.error:
                raise self._error("the zip is damaged") from None
            ended = expander.eof
            self._buffer = expander.unused_data if ended else expander.unconsumed_tail
            self._given += len(piece)
            if is_bomb(self._given, self._read):
                raise self._error("the zip expands more than any capture does; it may be a decompression bomb")
            if piece:
                yield piece
        if behind:
            self._skip_descriptor()

    def _skip_descriptor(self) -> None:
        """Skip the sizes behind a file, 12 to 24 bytes: the next file, or the directory, shows where they end."""
        self._fill(_LONGEST_DESCRIPTOR + 4)
        for mark in (MAGIC, *_DIRECTORY):
            found = self._buffer.find(mark, 12, _LONGEST_DESCRIPTOR + 4)
            if found >= 0:
                self._buffer = self._buffer[found:]
                return
        raise self._error("the zip is damaged")


def _long_size(extra: bytes) -> int:
    """Return the packed size of a file too large for 32 bits (extra field 1: size, then packed size)."""
    position = 0
    while position + 4 <= len(extra):
        kind, length = struct.unpack_from("<HH", extra, position)
        if kind == 1 and length >= 16:
            return int.from_bytes(extra[position + 12 : position + 20], "little")
        position += 4 + length
    return 0
