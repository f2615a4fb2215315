"""What is told beside the output: sentences, and questions, on standard error."""

from __future__ import annotations

import sys

from bluewatt.wire.printable import printable


def notice(sentence: str) -> None:
    """Tell the user something that is not output, in one line on standard error."""
    print(f"bluewatt: {printable(sentence)}", file=sys.stderr, flush=True)


def confirm(question: str) -> bool:
    """Ask a question on standard error and return whether the answer was yes; no answer is no."""
    print(f"{question} [y/N]: ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")
