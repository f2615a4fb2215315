"""The reader all containers share: bytes go in by blocks, whole packets come out, memory stays bounded.

A header that cannot be true (a wrong length) does not end the capture: the reader notes it as a problem and looks for
the next place where a header and the header after it both make sense. Only the end of the input shows whether a
packet is cut or a pipe is slow, so `finish` reports a cut.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

from bluewatt.errors import CaptureError
from bluewatt.wire.bluetooth.packets import Packet

MAX_PACKET = 0x40000
"""The largest plausible packet, in bytes: tcpdump's largest snapshot length."""

_TAIL = 0x10000
"""Bytes kept while looking for the next header, so that one across two blocks is found."""


class PacketReader(ABC):
    """The base of the readers, from the bytes of one capture to packets; the subclasses know the containers.

    `problems` collects what was wrong on the way (the caller takes them out); none of them ended the reading.
    """

    anchor_at = 0
    """Where in a record header the anchor stands: bytes the next good record is expected to hold."""

    def __init__(self, first_offset: int) -> None:
        self.problems: list[CaptureError] = []
        self.offset = first_offset
        """Where in the capture the next record begins; may be set before the first `feed`, to read from there on."""
        self._buffer = b""
        self._fault: CaptureError | None = None

    def feed(self, block: bytes) -> list[Packet]:
        """Take the next bytes. Return the packets they complete."""
        buffer = self._buffer + block if self._buffer else block
        packets: list[Packet] = []
        position = self._resume(buffer, 0) if self._fault else 0
        while not self._fault:
            position, fault = self._scan(buffer, position, packets)
            if not fault:
                break
            self._fault = CaptureError(fault, offset=self.offset + position)
            position = self._resume(buffer, position + 1)
        self._buffer = buffer[position:]
        self.offset += position
        return packets

    def finish(self) -> tuple[list[Packet], CaptureError | None]:
        """End the input. Return the last packets and, for a capture cut or damaged at its end, the error.

        What remains may begin with a wrong length, longer than the file: then packets follow it.
        """
        packets: list[Packet] = []
        while self._buffer and not self._fault:
            self._fault = CaptureError(
                f"the capture ends in the middle of a packet ({len(self._buffer)} bytes of it are there)",
                offset=self.offset,
            )
            found = self._find(self._buffer, 1)
            if found >= 0:
                rest, self._buffer = self._buffer[found:], b""
                self.offset += found
                self.problems.append(self._fault)
                self._fault = None
                packets += self.feed(rest)
        return packets, self._fault

    def _resume(self, buffer: bytes, start: int) -> int:
        """Look for the next plausible header; the fault becomes a problem when one is found."""
        found = self._find(buffer, start)
        if found < 0:
            return max(start, len(buffer) - _TAIL)
        if self._fault:
            self.problems.append(self._fault)
            self._fault = None
        return found

    def _find(self, buffer: bytes, start: int) -> int:
        anchor, delta = self._anchor(), self.anchor_at
        at = buffer.find(anchor, start + delta) if anchor else -1
        while at >= 0:
            if self._chained(buffer, at - delta):
                return at - delta
            at = buffer.find(anchor, at + 1)
        return -1

    def _chained(self, buffer: bytes, position: int) -> bool:
        end = self._end(buffer, position)
        return end >= 0 and (end == len(buffer) or self._end(buffer, end) >= 0)

    @abstractmethod
    def _scan(self, buffer: bytes, position: int, packets: list[Packet]) -> tuple[int, str]:
        """Append the whole packets from `position` on; return where it stopped and what is wrong there, if anything."""

    @abstractmethod
    def _end(self, buffer: bytes, position: int) -> int:
        """Return where the record at `position` ends; -1 if its header is implausible or reaches past the buffer."""

    @abstractmethod
    def _anchor(self) -> bytes:
        """Return the bytes a good header holds at `anchor_at`; b"" if nothing is known yet."""
