"""The width of each column of a device table: what matters least is left out first, and spare width is used."""

from __future__ import annotations

import os
from typing import NamedTuple

from rich.console import Console

GAP = 2
"""Columns between two columns of a table."""
PLAIN_WIDTH = 110
"""Columns of output that is no terminal and has no width of its own."""
NARROWEST = 40
"""Columns below which a table is no longer made narrower."""


class Widths(NamedTuple):
    """The width of each column; 0 for one that is left out."""

    name: int
    what: int
    state: int
    values: int
    strength: int
    age: int


_SHAPES = (
    (104, Widths(name=20, what=22, state=15, values=0, strength=4, age=5)),
    (80, Widths(name=20, what=0, state=15, values=0, strength=4, age=5)),
    (70, Widths(name=18, what=0, state=15, values=0, strength=0, age=5)),
    (50, Widths(name=16, what=0, state=0, values=0, strength=0, age=5)),
    (0, Widths(name=14, what=0, state=0, values=0, strength=0, age=0)),
)
"""The columns shown from a width on, widest first; the values get the rest."""
_KEPT_FOR_VALUES = (("name", 26), ("state", 32), ("what", 44))
"""Columns that may grow, in this order, and the width that each leaves to the values."""


def table_widths(width: int, *, name: int, what: int, state: int) -> Widths:
    """Return the widths for a table of `width` columns; `name`, `what` and `state` are the longest texts in them."""
    shape = next(widths for least, widths in _SHAPES if width >= least)
    longest = {"name": name, "what": what, "state": state}
    values = max(width, NARROWEST) - sum(shape) - GAP * sum(1 for one in shape if one)
    for column, kept in _KEPT_FOR_VALUES:
        present: int = getattr(shape, column)
        if present:
            growth = min(longest[column] - present, max(values - kept, 0))
            shape = shape._replace(**{column: present + growth})
            values -= growth
    return shape._replace(values=values)


def output_width(console: Console) -> int:
    """Return the columns to write: the terminal's or those of $COLUMNS; elsewhere at least PLAIN_WIDTH."""
    fixed = console.is_terminal or os.environ.get("COLUMNS", "").isdigit()
    return max(console.width, NARROWEST if fixed else PLAIN_WIDTH)
