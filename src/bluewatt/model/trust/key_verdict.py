"""Is the key right? A verdict drawn from several advertisements, never from one byte alone.

Each advertisement gives bits of evidence (model/trust/evidence.py). They are summed, within bounds, so that the verdict
can turn: a sequential test. Once the key is proven, an advertisement counts against it only where several rows fail
together. One garbled advertisement moves the sum by some ten bits and the next good one moves it back; a key that was
changed moves it down with every advertisement.
"""

from __future__ import annotations

from enum import Enum
from typing import Any

from bluewatt.model.trust.evidence import KEY_CHECK_BITS

CERTAIN = 18.0
"""So many bits for or against decide: a chance of one in 262,144 to be wrong."""
BOUND = 32.0
"""The sum is kept within ± this, so that a long good time does not hide a change."""
SAME_CHECK_BYTE = 3
"""So many advertisements in a row with the same foreign key check, none with ours between: the key is another."""
AGAINST_IN_A_ROW = 3
"""So many advertisements in a row whose content speaks against the key are needed: one can be garbled."""
LIKELY = 12.0
"""Evidence with which a key is believed where no more is to be had: the capture ends, or the device says the same."""
MISMATCH_BITS = -4.0
"""What one foreign key check is worth: a flipped bit can do that."""


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
        """The last sample this key opened, whatever became of it: the next one is compared with it."""
        self._check_seen = False
        self._against = 0
        self._foreign = 0
        self._foreign_check = -1

    def foreign_check(self, key_check: int) -> KeyState:
        """An advertisement whose key check is not our key's first byte."""
        self._foreign = self._foreign + 1 if key_check == self._foreign_check else 1
        self._foreign_check = key_check
        self.score = max(self.score + MISMATCH_BITS, -BOUND)
        if self._foreign >= SAME_CHECK_BYTE:
            self._lose()
        return self.state

    def content(self, evidence: float, *, incredible: bool = False) -> KeyState:
        """Count an advertisement that our key opened, with the evidence of its content; return the new state.

        `incredible` says that several rows of it fail together.
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
        """Count the same bytes, sent on for a minute: they prove nothing new, but what is likely is believed now."""
        if self.state is KeyState.UNPROVEN and self.score >= LIKELY:
            self.state = KeyState.RIGHT
        return self.state

    def _lose(self) -> None:
        self.score = min(self.score, 0.0)
        self.state = KeyState.CHANGED if self.state in (KeyState.RIGHT, KeyState.CHANGED) else KeyState.WRONG
