"""The page of supported devices: the records with their evidence, and the products."""

from __future__ import annotations

from collections import defaultdict

from bluewatt.docgen.markdown import GENERATED, table
from bluewatt.model.json_objects import type_text
from bluewatt.schema import Proof, Record
from bluewatt.tables.products import ProductRange, product_ranges, products
from bluewatt.tables.records import record_classes

_INTRODUCTION = """
A device is recognised by the type of its record, never by its product: an unknown product decodes as well, and shows
its number in place of its name. A row counts as *captured* if bytes of a real device gave it a value; a test compares
this page with the bytes.
"""


def page() -> str:
    """Return the Markdown of the page."""
    records = table(("type", "record", "rows captured", "documented", "unproven"), map(_record, record_classes()))
    return "\n".join([GENERATED, "# Supported devices", _INTRODUCTION, "## Records\n", records, _families()])


def _record(cls: type[Record]) -> tuple[object, ...]:
    assert cls.record_type is not None
    rows = [row for row in cls.rows if not row.hidden]
    counts = [sum(1 for row in rows if (row.proof or cls.proof) is proof) for proof in _GRADES]
    return (type_text(cls.record_type), f"[{cls.title}](records.md)", *(count or "" for count in counts))


_GRADES = (Proof.CAPTURED, Proof.DOCUMENTED, Proof.UNPROVEN)


def _range(one: ProductRange) -> str:
    return f"0x{one.first:04X} to 0x{one.last:04X} {one.family}"


def _families() -> str:
    named: dict[str, list[str]] = defaultdict(list)
    for product in products():
        named[product.family].append(f"0x{product.id:04X} {product.name}")
    parts = [
        "## Products\n",
        f"An id that is not listed has the family of its range: {'; '.join(map(_range, product_ranges()))}.\n",
    ]
    for family, names in sorted(named.items()):
        parts.append(f"<details><summary>{family}: {len(names)}</summary>\n\n{'; '.join(names)}\n\n</details>\n")
    return "\n".join(parts)
