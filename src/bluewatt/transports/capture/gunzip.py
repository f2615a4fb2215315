"""gzip as a stream: it gives small pieces, whatever it is given, and refuses decompression bombs."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from bluewatt.errors import CaptureError
from bluewatt.transports.capture.block_buffer import PIECE, is_bomb

MAGIC = b"\x1f\x8b"
"""The first two bytes of a gzip file."""

_GZIP_WRAPPER = 16 + zlib.MAX_WBITS


class Gunzip:
    """The expansion of a file of one or more gzip members; bytes that do not begin as gzip pass unchanged.

    Raises `CaptureError` for damage, a cut and a decompression bomb.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._head = b""
        self._plain = False
        self._expander = zlib.decompressobj(_GZIP_WRAPPER)
        self._taken = 0
        self._given = 0

    def feed(self, block: bytes) -> Iterator[bytes]:
        """Yield what `block` expands to, in pieces of at most 64 KiB (plain bytes as they came)."""
        if self._plain:
            yield block
            return
        if not self._taken:
            block = self._head + block
            if len(block) < len(MAGIC):
                self._head = block
                return
            self._plain = not block.startswith(MAGIC)
        self._taken += len(block)
        yield from (block,) if self._plain else self._expand(block)

    def finish(self) -> Iterator[bytes]:
        """Yield what is still held back; raise when the last member was cut."""
        if not self._taken and self._head:
            yield self._head
        elif self._taken and not self._plain and not self._expander.eof:
            raise self._error("the gzip data is cut")

    def _expand(self, block: bytes) -> Iterator[bytes]:
        while block:
            if self._expander.eof:
                # Zeros after a member are padding, anything else begins the next member.
                if not (block := block.lstrip(b"\0")):
                    return
                self._expander = zlib.decompressobj(_GZIP_WRAPPER)
            try:
                piece = self._expander.decompress(block, PIECE)
            except zlib.error as error:
                raise self._error("the gzip data is damaged") from error
            block = self._expander.unused_data if self._expander.eof else self._expander.unconsumed_tail
            self._given += len(piece)
            if is_bomb(self._given, self._taken):
                raise self._error("the gzip data expands more than any capture does; it may be a decompression bomb")
            if piece:
                yield piece

    def _error(self, what: str) -> CaptureError:
        return CaptureError(f"{self.path}: {what}, at byte {self._taken}", path=self.path, offset=self._taken)
