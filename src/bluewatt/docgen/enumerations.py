"""The page of the enumerations."""

from __future__ import annotations

from bluewatt.docgen.markdown import GENERATED, table
from bluewatt.tables.enums import enumeration, enumeration_names

_INTRODUCTION = """
The number is the raw value of a code, the bit of a mask, or the number of a two-bit group. A number that is not listed
stays a number: it shows as `unknown(n)`, a bit as `bitN`.
"""


def page() -> str:
    """Return the Markdown of the page."""
    return "\n".join([GENERATED, "# Enumerations", _INTRODUCTION, *map(_section, enumeration_names())])


def _section(name: str) -> str:
    rows = ((number, f"`{meaning.key}`", meaning.label) for number, meaning in sorted(enumeration(name).items()))
    return f"## {name}\n\n{table(('number', 'key', 'label'), rows)}"
