"""Sentences and questions for the user, on standard error."""

from __future__ import annotations

import sys

from bluewatt.wire.printable import printable


def notice(sentence: str) -> None:
    """Print a sentence for the user in one line on standard error, where it is not mixed with output."""
    print(f"bluewatt: {printable(sentence)}", file=sys.stderr, flush=True)


def confirm(question: str) -> bool:
    """Ask a question on standard error. Return whether the answer was yes; no answer means no."""
    print(f"{question} [y/N]: ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")
