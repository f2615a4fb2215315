"""The page of the advertised records: every row with its bits, its scale and its proof."""

from __future__ import annotations

from collections.abc import Iterator

from bluewatt.docgen.markdown import GENERATED, table
from bluewatt.model.json_objects import type_text
from bluewatt.schema import Proof, Record, Row
from bluewatt.tables.metrics import metric
from bluewatt.tables.records import record_classes

_INTRODUCTION = """
A record is a little-endian bit stream: bit n is bit n mod 8 of byte n div 8. "Absent" is the raw pattern that means
"not available". Rows of the auxiliary input share their bits; the selector says which one is present.

The proof of a row:
"""


def page(proofs: tuple[Proof, ...] = (Proof.CAPTURED, Proof.DOCUMENTED, Proof.UNPROVEN)) -> str:
    """Return the Markdown of the page."""
    grades = "".join(f"- **{proof.key}**: {proof.label}.\n" for proof in proofs)
    return "\n".join([GENERATED, "# Records", _INTRODUCTION, grades, *map(_section, record_classes())])


def _section(cls: type[Record]) -> str:
    assert cls.record_type is not None
    summary = (cls.__doc__ or "").strip()
    length = f"{cls.length()} bytes, {cls.bits} bits defined" if cls.bits else "kept as raw bytes"
    head = f"## {type_text(cls.record_type)} {cls.title}\n\n{summary}\n\n`{cls.record_name}`, {length}.\n"
    if not cls.bits:
        return head
    columns = ("bit", "width", "name", "what", "unit", "step", "absent", "proof")
    return f"{head}\n{table(columns, _rows(cls))}"


def _rows(cls: type[Record]) -> Iterator[tuple[object, ...]]:
    for row in cls.rows:
        if row.hidden:
            continue
        known = metric(row.name)
        yield (
            row.start,
            f"{row.bits} × {row.count}" if row.count > 1 else row.bits,
            f"`{row.name}`",
            (known.label if known else "") + _selected(row),
            row.unit,
            _step(row),
            ", ".join(f"0x{pattern:X}" for pattern in row.na),
            (row.proof or cls.proof).key,
        )


def _selected(row: Row) -> str:
    return f" (when `{row.when[0]}` is {row.when[1][0]})" if row.when else ""


def _step(row: Row) -> str:
    """Return how a raw number becomes a value."""
    if row.named is not None:
        return f"[{row.named.__name__}](enumerations.md)"
    if row.pieces:
        return ", ".join(f"{step} from {first}" for first, _, step in row.pieces)
    step = row.scale.factor / row.scale.divisor
    bias = row.scale.shift / row.scale.divisor
    text = f"{step:.{row.scale.decimals}f}" + (f" {bias:+.{row.scale.decimals}f}" if bias else "")
    return f"{text}, signed" if row.signed else text
