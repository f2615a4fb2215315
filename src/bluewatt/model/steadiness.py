"""Is a record hard to believe after the one before it, and why: the careful answer behind `screen`'s quick one."""

from __future__ import annotations

from bluewatt.model.screen import is_familiar, is_within
from bluewatt.schema import Record
from bluewatt.tables.metrics import metric


def why_unfamiliar(before: Record | None, record: Record) -> str | None:
    """Which code or mask has a value nobody has named, and had another one before; None for none."""
    for row in record.rows:
        if row.named is None:
            continue
        value = getattr(record, row.name)
        if not is_familiar(value) and (before is None or getattr(before, row.name) != value):
            return f"{row.name} has the unnamed value {int(value)}"
    return None


def why_unsteady(before: Record, record: Record) -> str | None:
    """What a record says that is hard to believe after the one before it (of the same class); None for nothing."""
    return why_unfamiliar(before, record) or _jump(before, record)


def _jump(before: Record, record: Record) -> str | None:
    for row in record.rows:
        limits = metric(row.name)
        if limits is None or limits.jump is None:
            continue
        old, new = getattr(before, row.name), getattr(record, row.name)
        if new is None or not is_within(new, limits):
            continue  # what is impossible is taken out anyway
        if old is None or not is_within(old, limits):
            return f"{row.name} appeared"
        pairs = zip(old, new, strict=True) if isinstance(new, tuple) else ((old, new),)
        if any(one is not None and two is not None and abs(two - one) > limits.jump for one, two in pairs):
            return f"{row.name} jumped from {old} to {new} {row.unit}".rstrip()
    return None
