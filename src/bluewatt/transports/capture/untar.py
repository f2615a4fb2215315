"""tar as a stream: the files in it one after the other, in bounded memory, also from a pipe.

It reads what phones and `tar` write: the old layout, ustar, pax and GNU long names, numbers in octal and in base 256.
Layout: POSIX.1-2001, pax; GNU tar's manual for its own additions. A gzipped tar is expanded before it comes here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from bluewatt.transports.capture.block_buffer import PIECE, BlockBuffer

BLOCK = 512
"""Bytes of a header; contents are filled up to a multiple of it."""

_NAME, _SIZE, _CHECKSUM, _PREFIX = slice(0, 100), slice(124, 136), slice(148, 156), slice(345, 500)
_KIND, _MAGIC, _SPARSE_GOES_ON, _MORE_SPARSE = 156, slice(257, 263), 482, 504
_REGULAR, _PAX, _LONG_NAME, _SPARSE = (b"0", b"\0", b"7"), (b"x", b"X"), b"L", b"S"
_OF_NO_INTEREST = (b"g", b"K")
"""Kinds of headers before a file's own that say nothing of its name or length."""
_LONGEST_NAME = 1 << 16
"""Most bytes of a long name or of pax attributes."""
_MOST_FILES = 1_000_000


def is_tar(head: bytes) -> bool:
    """Return whether `head` begins with a tar header: its checksum is right."""
    return len(head) >= BLOCK and any(head[:BLOCK]) and _checksum_fits(head[:BLOCK])


def _checksum_fits(header: bytes) -> bool:
    """Return whether the checksum of a header fits, itself counted as blanks; old programs added signed bytes."""
    rest = header[: _CHECKSUM.start] + header[_CHECKSUM.stop :]
    blanks = 8 * ord(" ")
    signed = sum(rest) - 256 * sum(byte > 127 for byte in rest)
    return _number(header[_CHECKSUM]) in (sum(rest) + blanks, signed + blanks)


def _number(field: bytes) -> int | None:
    """Return a number as tar writes it; None if it is none."""
    if field[0] & 0x80:
        return int.from_bytes(bytes([field[0] & 0x7F]) + field[1:], "big")
    digits = field.strip(b" \0")
    return int(digits, 8) if re.fullmatch(rb"[0-7]+", digits) else None


class Untar(BlockBuffer):
    """The files of a tar whose bytes come in blocks: `for name, pieces in Untar(path, blocks)`.

    Pieces of a file that are not taken are skipped. Raises `CaptureError`, with the offset, for damage and a cut.
    """

    kind = "tar"

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
                text = self._small(length)
                found = {b"path": text.rstrip(b"\0")} if kind == _LONG_NAME else _attributes(text, kind)
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
        """Return the next header; None at the end, a block of zeros, which careless tools leave out."""
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
            piece = self._take(min(left, PIECE, max(len(self._buffer), 1)))
            left -= len(piece)
            yield piece
        if padding:
            self._take(padding)

    def _skip_sparse_map(self, header: bytes) -> None:
        goes_on = header[_SPARSE_GOES_ON]
        while goes_on:
            goes_on = self._take(BLOCK)[_MORE_SPARSE]


def _full_name(header: bytes) -> bytes:
    name, prefix = header[_NAME].split(b"\0")[0], header[_PREFIX].split(b"\0")[0]
    # GNU tar's own layout ("ustar  ") has times in the place of the prefix.
    return prefix + b"/" + name if prefix and header[_MAGIC] == b"ustar\0" else name


def _attributes(text: bytes, kind: bytes) -> dict[bytes, bytes]:
    """Return the attributes of a pax header, each "LENGTH NAME=VALUE" and a line end; none of other headers."""
    found: dict[bytes, bytes] = {}
    while kind in _PAX and text:
        digits, space, _ = text.partition(b" ")
        length = _decimal(digits, None) or 0
        if not space or length <= len(digits) + 1:
            break  # damaged: what the file's own header says has to do
        name, _, value = text[len(digits) + 1 : length].removesuffix(b"\n").partition(b"=")
        found[name], text = value, text[length:]
    return found


def _decimal(text: bytes | None, otherwise: int | None) -> int | None:
    return int(text) if text is not None and text.isdigit() and len(text) < 20 else otherwise
