"""Pages made from the tables, for `bluewatt reference` and docs/reference."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

PAGES = {
    "devices": "devices:page",
    "records": "records:page",
    "metrics": "metrics:page",
    "registers": "registers:page",
    "enumerations": "enumerations:page",
    "errors": "errors:page",
}
"""Generated pages by name: "module:function", where the function takes nothing and returns Markdown."""


def page(name: str) -> str:
    """Return the Markdown of a generated page; raise KeyError if `PAGES` has no such name."""
    module, function = PAGES[name].split(":")
    made: Callable[[], str] = getattr(import_module(f"{__name__}.{module}"), function)
    return made()
