"""Codes and masks of a record with a value that nobody has named."""

from __future__ import annotations

from collections.abc import Iterator

from bluewatt.model.trust.doubt import is_familiar
from bluewatt.schema import Record


def unfamiliar(before: Record | None, record: Record) -> Iterator[tuple[str, str]]:
    """Yield each code or mask that is new and has a value nobody has named, and a sentence about it."""
    for row in record.rows:
        if row.named is None:
            continue
        value = getattr(record, row.name)
        if not is_familiar(value) and (before is None or getattr(before, row.name) != value):
            yield row.name, f"{row.name} has the unnamed value {int(value)}"
