"""What a decoding met, counted, and what is said of it at the end."""

from __future__ import annotations

from collections import Counter

from bluewatt.errors import CaptureError, KeyMismatch, KeyMissing, KeyProblem, Malformed, WireError
from bluewatt.exports.terminal.notices import notice
from bluewatt.model.display import counted

NOTHING = "no advertisement of a Victron device in it, and no connection to one"

_TOLD = 5
"""So many damages are told in full; the others are counted."""

_KEY_REASONS = {KeyMissing.__name__, KeyMismatch.__name__, "KeyUnproven"}


class DecodeSummary:
    """What decoding met: counted for the last line and the exit code."""

    def __init__(self) -> None:
        self.readings = 0
        self.lines = 0
        self.reasons: Counter[str] = Counter()
        self.detail = NOTHING
        self.damaged = 0
        self.notes: list[str] = []

    def miss(self, reason: str, detail: str) -> None:
        """Count one thing that gave no values."""
        if not self.reasons:
            self.detail = detail
        self.reasons[reason] += 1

    def problem(self, error: CaptureError) -> None:
        """Say a damage the reading survived; the first few in full."""
        self.damaged += 1
        if self.damaged <= _TOLD:
            notice(str(error))

    def report(self) -> None:
        """Say on standard error what gave no values."""
        parts = [f"{count} x {reason}" for reason, count in self.reasons.most_common()]
        if self.damaged:
            parts.append(f"{self.damaged} x damaged")
        found = counted(self.readings, "reading") + (f", {counted(self.lines, 'message')}" if self.lines else "")
        if parts:
            notice(f"{found}; without values: {', '.join(parts)}")
        for note in self.notes:
            notice(note)


def why_nothing(reasons: Counter[str], detail: str) -> KeyProblem | WireError | CaptureError:
    """The error that ends a decoding without one reading; its class is the exit code's: keys, or the input."""
    if set(reasons) & _KEY_REASONS:
        wrong = KeyMismatch.__name__ in reasons
        return KeyMismatch(detail) if wrong else KeyMissing(detail)
    return Malformed(detail)
