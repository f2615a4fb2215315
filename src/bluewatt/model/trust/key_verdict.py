"""The verdict whether a key is right, drawn from several advertisements, never from one byte alone.

Each advertisement gives bits of evidence (model/trust/evidence.py). They are summed, within bounds, so that the verdict
can change: a sequential test. Once the key is proven, an advertisement counts against it only if several rows fail
together. One garbled advertisement moves the sum by some ten bits, and the next good one moves it back; if the key was
changed, every advertisement moves the sum down.
"""

from __future__ import annotations

from enum import Enum
from typing import Any

from bluewatt.model.trust.evidence import KEY_CHECK_BITS

CERTAIN = 18.0
"""Bits of evidence that decide, for or against: the chance of being wrong is one in 262,144."""
BOUND = 32.0
"""Bits within which the sum is kept on either side, so that a long good time does not hide a change."""
SAME_CHECK_BYTE = 3
"""Advertisements in a row with the same key check, not the key's own, that prove the key to be another one."""
AGAINST_IN_A_ROW = 3
"""Advertisements in a row whose content must count against the key before it is wrong: one can be garbled."""
LIKELY = 12.0
"""Bits that suffice if there is no more evidence: the capture ends, or the device repeats itself."""
MISMATCH_BITS = -4.0
"""Evidence of one key check that is not the key's, bits: few, because a flipped bit can cause it."""


class KeyState(Enum):
    """What is known about the key of a device."""

    MISSING = "no key"
    UNPROVEN = "key not proven yet"
    RIGHT = "key right"
    WRONG = "wrong key"
    CHANGED = "key changed"


class KeyVerdict:
    """The running verdict about one key of one device."""

    __slots__ = ("_against", "_check_seen", "_foreign", "_foreign_check", "before", "score", "state")

    def __init__(self) -> None:
        self.state = KeyState.UNPROVEN
        self.score = 0.0
        self.before: Any = None
        """The last sample that this key opened, published or not, with which the next one is compared."""
        self._check_seen = False
        self._against = 0
        self._foreign = 0
        self._foreign_check = -1

    def foreign_check(self, key_check: int) -> KeyState:
        """Count an advertisement whose key check is not the key's first byte; return the new state."""
        self._foreign = self._foreign + 1 if key_check == self._foreign_check else 1
        self._foreign_check = key_check
        self.score = max(self.score + MISMATCH_BITS, -BOUND)
        if self._foreign >= SAME_CHECK_BYTE:
            self._lose()
        return self.state

    def content(self, evidence: float, *, incredible: bool = False) -> KeyState:
        """Count an advertisement that the key opened, with the evidence of its content; return the new state.

        `incredible` says that several of its rows fail together.
        """
        if not self._check_seen:
            self._check_seen = True
            self.score += KEY_CHECK_BITS
        if self.state is KeyState.RIGHT and not incredible:
            evidence = max(evidence, 0.0)
        if evidence > 0:
            self._foreign = 0
        self._against = self._against + 1 if evidence < 0 else 0
        self.score = max(-BOUND, min(BOUND, self.score + evidence))
        if self.score >= CERTAIN:
            self.state = KeyState.RIGHT
        elif self.score <= -CERTAIN and self._against >= AGAINST_IN_A_ROW:
            self._lose()
        return self.state

    def again(self) -> KeyState:
        """Count the same bytes, repeated for a minute: they prove nothing new, but a likely key is believed now."""
        if self.state is KeyState.UNPROVEN and self.score >= LIKELY:
            self.state = KeyState.RIGHT
        return self.state

    def _lose(self) -> None:
        self.score = min(self.score, 0.0)
        self.state = KeyState.CHANGED if self.state in (KeyState.RIGHT, KeyState.CHANGED) else KeyState.WRONG
