"""Which advertisements of a device were heard before: each record goes out several times, under one nonce."""

from __future__ import annotations

from bluewatt.model.reading import Frame

NONCE_MEMORY = 64
"""Nonces of a device that are remembered."""
NONCE_SECONDS = 60.0
"""Seconds after which the same nonce is a new record: the nonce wraps, and a device may restart."""
MOST_VERSIONS = 4
"""Different payloads with one nonce that are remembered: a device that restarts uses nonces again."""

Heard = tuple[float, tuple[bytes, ...]]
"""When a nonce was heard first, and with which payloads."""


class Copies:
    """The nonces of one device that were heard lately, and with which bytes."""

    __slots__ = ("_contender", "heard")

    def __init__(self) -> None:
        self.heard: dict[int, Heard] = {}
        """By nonce, the oldest first."""
        self._contender = b""
        """Unchecked bytes that came with a nonce already heard with others: heard once more, they are believed."""

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
        """Note a frame, the copies of which are to be known."""
        before = self.heard.pop(nonce, None)
        if before is None or abs(frame.at - before[0]) >= NONCE_SECONDS:
            versions: tuple[bytes, ...] = ()
        else:
            versions = before[1][1 - MOST_VERSIONS :]
        self.heard[nonce] = (frame.at, (*versions, frame.payload))
        if len(self.heard) > NONCE_MEMORY:
            del self.heard[next(iter(self.heard))]
