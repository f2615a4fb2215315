"""tar as a stream: the files in it one after the other, in bounded memory, from a pipe as well.

What phones and `tar` write is read: the old layout, ustar, pax and GNU long names, numbers in octal and in base 256.
Layout: POSIX.1-2001, pax; GNU tar's manual for its own additions. A gzipped tar is expanded before it comes here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from bluewatt.errors import CaptureError

BLOCK = 512
"""Bytes of a header; contents are filled up to a multiple."""

_NAME, _SIZE, _CHECKSUM, _PREFIX = slice(0, 100), slice(124, 136), slice(148, 156), slice(345, 500)
_KIND, _MAGIC, _SPARSE_GOES_ON, _MORE_SPARSE = 156, slice(257, 263), 482, 504
_REGULAR, _PAX, _LONG_NAME, _SPARSE = (b"0", b"\0", b"7"), (b"x", b"X"), b"L", b"S"
_OF_NO_INTEREST = (b"g", b"K")
"""Headers before a file's own that say nothing of its name or length."""
_PIECE = 0x10000
_LONGEST_NAME = 1 << 16
"""Bytes of a long name, or of pax attributes, believed."""
_MOST_FILES = 1_000_000


def is_tar(head: bytes) -> bool:
    """Whether `head` begins with a tar header: its checksum is right."""
    return len(head) >= BLOCK and any(head[:BLOCK]) and _checksum_fits(head[:BLOCK])


def _checksum_fits(header: bytes) -> bool:
    """Whether the sum of the header, its own checksum taken as blanks, is what it says; old programs summed signed."""
    rest = header[: _CHECKSUM.start] + header[_CHECKSUM.stop :]
    blanks = 8 * ord(" ")
    signed = sum(rest) - 256 * sum(byte > 127 for byte in rest)
    return _number(header[_CHECKSUM]) in (sum(rest) + blanks, signed + blanks)


def _number(field: bytes) -> int | None:
    """A number as tar writes it; None for what is none."""
    if field[0] & 0x80:
        return int.from_bytes(bytes([field[0] & 0x7F]) + field[1:], "big")
    digits = field.strip(b" \0")
    return int(digits, 8) if re.fullmatch(rb"[0-7]+", digits) else None


class Untar:
    """The files of a tar whose bytes come in blocks: `for name, pieces in Untar(path, blocks)`.

    The pieces of a file that are not taken are skipped. Raises `CaptureError`, with the offset, for damage and a cut.
    """

    def __init__(self, path: str, blocks: Iterator[bytes]) -> None:
        self.path = path
        self._blocks = blocks
        self._buffer = b""
        self._taken = 0

    def __iter__(self) -> Iterator[tuple[str, Iterator[bytes]]]:
        name, size = b"", None  # what headers of their own say of the next file
        for _ in range(_MOST_FILES):
            header = self._header()
            if header is None:
                return
            kind, length = header[_KIND : _KIND + 1], _number(header[_SIZE])
            if length is None:
                raise self._error("the tar is damaged")
            if kind in (_LONG_NAME, *_PAX, *_OF_NO_INTEREST):
                told = self._small(length)
                found = {b"path": told.rstrip(b"\0")} if kind == _LONG_NAME else _attributes(told, kind)
                name, size = found.get(b"path", name), _decimal(found.get(b"size"), size)
                continue
            if kind == _SPARSE:
                self._skip_sparse_map(header)
            pieces = self._content(length if size is None else size)
            if kind in _REGULAR:
                yield (name or _full_name(header)).decode("utf-8", "replace"), pieces
            for _ in pieces:
                pass
            name, size = b"", None
        raise self._error(f"a tar of more than {_MOST_FILES} files")

    def _header(self) -> bytes | None:
        """The next header; None at the end, which is a block of zeros, or nothing at all in what careless tools cut."""
        if not self._fill(1):
            return None
        header = self._take(BLOCK)
        if not any(header):
            return None
        if not _checksum_fits(header):
            raise self._error("the tar is damaged")
        return header

    def _small(self, length: int) -> bytes:
        if length > _LONGEST_NAME:
            raise self._error("the tar is damaged")
        return b"".join(self._content(length))

    def _content(self, length: int) -> Iterator[bytes]:
        left, padding = length, -length % BLOCK
        while left:
            self._fill(1)
            piece = self._take(min(left, _PIECE, max(len(self._buffer), 1)))
            left -= len(piece)
            yield piece
        if padding:
            self._take(padding)

    def _skip_sparse_map(self, header: bytes) -> None:
        goes_on = header[_SPARSE_GOES_ON]
        while goes_on:
            goes_on = self._take(BLOCK)[_MORE_SPARSE]

    def _fill(self, count: int) -> bool:
        """Have `count` bytes in the buffer, if there are as many."""
        while len(self._buffer) < count and (block := next(self._blocks, None)) is not None:
            self._taken += len(block)
            self._buffer += block
        return len(self._buffer) >= count

    def _take(self, count: int) -> bytes:
        if not self._fill(count):
            raise self._error("the tar is cut")
        taken, self._buffer = self._buffer[:count], self._buffer[count:]
        return taken

    def _error(self, what: str) -> CaptureError:
        offset = self._taken - len(self._buffer)
        return CaptureError(f"{self.path}: {what}, at byte {offset}", path=self.path, offset=offset)


def _full_name(header: bytes) -> bytes:
    name, prefix = header[_NAME].split(b"\0")[0], header[_PREFIX].split(b"\0")[0]
    # GNU tar's own layout ("ustar  ") has times in the place of the prefix.
    return prefix + b"/" + name if prefix and header[_MAGIC] == b"ustar\0" else name


def _attributes(told: bytes, kind: bytes) -> dict[bytes, bytes]:
    """The attributes of a pax header, each "LENGTH NAME=VALUE" and a line end; none of other headers."""
    found: dict[bytes, bytes] = {}
    while kind in _PAX and told:
        digits, space, _ = told.partition(b" ")
        length = _decimal(digits, None) or 0
        if not space or length <= len(digits) + 1:
            break  # damaged: what the file's own header says has to do
        name, _, value = told[len(digits) + 1 : length].removesuffix(b"\n").partition(b"=")
        found[name], told = value, told[length:]
    return found


def _decimal(text: bytes | None, otherwise: int | None) -> int | None:
    return int(text) if text is not None and text.isdigit() and len(text) < 20 else otherwise
