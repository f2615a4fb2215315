"""Pages made from the tables: what `bluewatt reference` prints and what stands in docs/reference."""

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
"""Every generated page by name: "module:function", the function takes nothing and gives Markdown."""


def page(name: str) -> str:
    """The Markdown of a generated page; KeyError for a name that is not in `PAGES`."""
    module, function = PAGES[name].split(":")
    made: Callable[[], str] = getattr(import_module(f"{__name__}.{module}"), function)
    return made()
