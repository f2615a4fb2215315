"""The page of the errors and exit codes."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

from bluewatt import errors
from bluewatt.docgen.markdown import GENERATED, table


def page() -> str:
    """Return the Markdown of the page."""
    codes = table(("exit code", "what it says"), ((int(code), says) for code, says in errors.EXIT_CODES.items()))
    tree = table(
        ("error", "what happened", "exit code"),
        ((f"`{name}`", sentence, code) for name, sentence, code in error_kinds()),
    )
    return "\n".join([GENERATED, "# Errors and exit codes\n", codes, "## Errors\n", tree])


def error_kinds() -> Iterator[tuple[str, str, int]]:
    """Yield each class of error: its name, what happened in a sentence, and the exit code."""
    for name, kind in vars(errors).items():
        if inspect.isclass(kind) and issubclass(kind, errors.BluewattError):
            yield name, " ".join((inspect.getdoc(kind) or "").split()), int(kind.exit_code)
