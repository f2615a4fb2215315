"""The page of the errors and exit codes."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

from bluewatt import errors
from bluewatt.faces.docgen.markdown import GENERATED, table

EXIT_CODES = {
    0: "it worked", 1: "our bug: please report it", 2: "the command was written wrongly",
    3: "the radio, the connection or the broker",
    4: "the device refused, or our own guard did", 5: "the key or the PIN",
    6: "the configuration or the key file", 7: "the input: a capture or bytes",
}  # fmt: skip
"""What the exit code of a command says."""


def page() -> str:
    """The Markdown of the page."""
    codes = table(("exit code", "what it says"), EXIT_CODES.items())
    tree = table(("error", "what happened", "exit code"), _rows())
    return "\n".join([GENERATED, "# Errors and exit codes\n", codes, "## Errors\n", tree])


def _rows() -> Iterator[tuple[object, ...]]:
    for name, kind in vars(errors).items():
        if inspect.isclass(kind) and issubclass(kind, errors.BluewattError):
            sentence = " ".join((inspect.getdoc(kind) or "").split())
            yield f"`{name}`", sentence, kind.exit_code
