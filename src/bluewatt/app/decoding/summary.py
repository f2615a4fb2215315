"""What a decoding found, counted, and what is said of it at the end."""

from __future__ import annotations

from collections import Counter

from bluewatt.errors import CaptureError, KeyMismatch, KeyMissing, KeyProblem, Malformed, WireError
from bluewatt.exports.terminal.notices import notice
from bluewatt.model.display import counted
from bluewatt.model.reasons import UNPROVEN, reasons_text

NOTHING = "no advertisement of a Victron device in it, and no connection to one"
"""The sentence about a file in which there is nothing to decode."""

_REPORTED_IN_FULL = 5
"""Damaged places that are reported one by one; all further ones are only counted."""

_KEY_REASONS = {KeyMissing.__name__, KeyMismatch.__name__, UNPROVEN}


class DecodeSummary:
    """The counts of one decoding, for its last line and its exit code."""

    def __init__(self) -> None:
        self.readings = 0
        """Readings and register values of networks."""
        self.lines = 0
        """Messages of connections."""
        self.reasons: Counter[str] = Counter()
        """What gave no values, by reason."""
        self.detail = NOTHING
        """The sentence about the first thing that gave no values."""
        self.damaged = 0
        """Damaged places that were skipped."""
        self.notes: list[str] = []
        """Sentences to say at the end."""

    def miss(self, reason: str, detail: str) -> None:
        """Count one thing that gave no values."""
        if not self.reasons:
            self.detail = detail
        self.reasons[reason] += 1

    def problem(self, error: CaptureError) -> None:
        """Count a damaged place that was skipped; the first few are reported in full."""
        self.damaged += 1
        if self.damaged <= _REPORTED_IN_FULL:
            notice(str(error))

    def report(self) -> None:
        """Say on standard error what was found and what gave no values, if anything did not, and all notes."""
        parts = [reasons_text(self.reasons)] if self.reasons else []
        if self.damaged:
            skipped = "was skipped" if self.damaged == 1 else "were skipped"
            parts.append(f"{counted(self.damaged, 'damaged place')} {skipped}")
        found = counted(self.readings, "reading") + (f", {counted(self.lines, 'message')}" if self.lines else "")
        if parts:
            notice("; ".join([found, *parts]))
        for note in self.notes:
            notice(note)


def why_nothing(reasons: Counter[str], detail: str) -> KeyProblem | WireError | CaptureError:
    """Return the error that ends a decoding without one reading; its class is the exit code's: keys, or the input."""
    if set(reasons) & _KEY_REASONS:
        wrong = KeyMismatch.__name__ in reasons
        return KeyMismatch(detail) if wrong else KeyMissing(detail)
    return Malformed(detail)
