"""Which advertisements of a device were heard before: a device sends each record several times, with one nonce."""

from __future__ import annotations

from bluewatt.model.reading import Frame

NONCE_MEMORY = 64
"""Nonces remembered per device."""
NONCE_SECONDS = 60.0
"""Seconds after which a repeated nonce counts as a new record: the nonce wraps, and a device may restart."""
MOST_VERSIONS = 4
"""Different payloads remembered per nonce: a device that restarts uses nonces again."""

NonceHeard = tuple[float, tuple[bytes, ...]]
"""When a nonce was last heard with new bytes, POSIX seconds, and its payloads so far."""


class Copies:
    """The latest nonces of one device, and the payloads heard with each."""

    __slots__ = ("_contender", "heard")

    def __init__(self) -> None:
        self.heard: dict[int, NonceHeard] = {}
        """By nonce, the oldest first."""
        self._contender = b""
        """Unchecked bytes whose nonce was heard before with other bytes: if they are heard again, they are believed."""

    def knows(self, frame: Frame, nonce: int) -> bool:
        """Return whether the frame is a copy of one remembered.

        Unchecked bytes that differ from the copy before are damage, unless they come twice.
        """
        heard = self.heard.get(nonce)
        if heard is None or abs(frame.at - heard[0]) >= NONCE_SECONDS:
            return False
        if frame.payload in heard[1]:
            return True
        if frame.checked or self._contender == frame.payload:
            self._contender = b""
            return False
        self._contender = frame.payload
        return True

    def remember(self, frame: Frame, nonce: int) -> None:
        """Remember a frame, so that its copies are recognised."""
        before = self.heard.pop(nonce, None)
        if before is None or abs(frame.at - before[0]) >= NONCE_SECONDS:
            versions: tuple[bytes, ...] = ()
        else:
            versions = before[1][1 - MOST_VERSIONS :]
        self.heard[nonce] = (frame.at, (*versions, frame.payload))
        if len(self.heard) > NONCE_MEMORY:
            del self.heard[next(iter(self.heard))]
