"""The page of the errors and exit codes."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

from bluewatt import errors
from bluewatt.docgen.markdown import GENERATED, table


def page() -> str:
    """The Markdown of the page."""
    codes = table(("exit code", "what it says"), ((int(code), says) for code, says in errors.EXIT_CODES.items()))
    tree = table(("error", "what happened", "exit code"), _rows())
    return "\n".join([GENERATED, "# Errors and exit codes\n", codes, "## Errors\n", tree])


def _rows() -> Iterator[tuple[object, ...]]:
    for name, kind in vars(errors).items():
        if inspect.isclass(kind) and issubclass(kind, errors.BluewattError):
            sentence = " ".join((inspect.getdoc(kind) or "").split())
            yield f"`{name}`", sentence, int(kind.exit_code)
