"""Bytes that come in blocks, taken in pieces of any size: for archives that are read as a stream."""

from __future__ import annotations

from collections.abc import Iterator

from bluewatt.errors import CaptureError

PIECE = 0x10000
"""Bytes handed on at once at most."""

_HARMLESS = 64 << 20
_MAX_RATIO = 200


def is_bomb(given: int, taken: int) -> bool:
    """Return whether a file that expanded from `taken` to `given` bytes was made to fill the machine.

    Packets shrink to a half or a tenth; beyond 64 MiB nothing harmless shrinks to less than one in 200.
    """
    return given > _HARMLESS and given > _MAX_RATIO * taken


class BlockBuffer:
    """The bytes of an archive, whose `kind` its errors name: "zip" or "tar"."""

    kind: str

    def __init__(self, path: str, blocks: Iterator[bytes]) -> None:
        self.path = path
        self._blocks = blocks
        self._buffer = b""
        self._read = 0

    def _fill(self, count: int) -> bool:
        """Read until `count` bytes are in the buffer; return whether there are as many."""
        while len(self._buffer) < count and (block := next(self._blocks, None)) is not None:
            self._read += len(block)
            self._buffer += block
        return len(self._buffer) >= count

    def _take(self, count: int) -> bytes:
        """Take bytes from the buffer; raises CaptureError if the file ends before."""
        if not self._fill(count):
            raise self._error(f"the {self.kind} is cut")
        taken, self._buffer = self._buffer[:count], self._buffer[count:]
        return taken

    def _error(self, what: str) -> CaptureError:
        """Return the error at the place that is read."""
        offset = self._read - len(self._buffer)
        return CaptureError(f"{self.path}: {what}, at byte {offset}", path=self.path, offset=offset)
