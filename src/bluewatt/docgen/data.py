"""The tables as data: each page of the reference as rows of plain values, for JSON and CSV."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from bluewatt.docgen.errors import error_kinds
from bluewatt.model.json_objects import type_text
from bluewatt.schema import Row
from bluewatt.tables.enums import enumeration, enumeration_names
from bluewatt.tables.metrics import metrics
from bluewatt.tables.products import products
from bluewatt.tables.records import record_classes
from bluewatt.tables.registers import registers

Line = dict[str, Any]
"""One row of a table: texts, numbers, lists of texts or None, by column."""


def rows(page: str) -> list[Line]:
    """Return the rows of a page of the reference; KeyError for a page that is not in `DATA`."""
    return list(DATA[page]())


def _devices() -> Iterator[Line]:
    for product in products():
        yield {
            "product_id": f"0x{product.id:04X}", "name": product.name, "family": product.family,
            "sources": list(product.sources),
        }  # fmt: skip


def _records() -> Iterator[Line]:
    for cls in record_classes():
        for row in cls.rows:
            if not row.hidden and cls.record_type is not None:
                head = {"record_type": type_text(cls.record_type), "record": cls.record_name}
                yield head | _field(row) | {"proof": (row.proof or cls.proof).key}


def _field(row: Row) -> Line:
    """Describe one row of a record; value = (raw × factor + shift) ÷ divisor."""
    return {
        "name": row.name,
        "start_bit": row.start,
        "bits": row.bits,
        "count": row.count,
        "signed": row.signed,
        "unit": row.unit,
        "factor": row.scale.factor,
        "shift": row.scale.shift,
        "divisor": row.scale.divisor,
        "pieces": [list(piece) for piece in row.pieces],
        "not_available": [f"0x{pattern:X}" for pattern in row.na],
        "enumeration": row.named.__name__ if row.named else None,
        "when": f"{row.when[0]}={','.join(map(str, map(int, row.when[1])))}" if row.when else None,
    }


def _metrics() -> Iterator[Line]:
    for metric in metrics():
        yield {
            "metric": metric.key, "label": metric.label, "unit": metric.unit, "low": metric.low, "high": metric.high,
            "device_class": metric.device_class,
        }  # fmt: skip


def _registers() -> Iterator[Line]:
    for row in registers():
        yield {
            "register": row.id_text,
            "key": row.key,
            "metric": row.metric,
            "type": row.type,
            "factor": row.scale.factor,
            "shift": row.scale.shift,
            "divisor": row.scale.divisor,
            "unit": row.unit,
            "not_available": None if row.not_available is None else f"0x{row.not_available:X}",
            "access": row.access,
            "persistent": row.persistent,
            "enumeration": row.enum or None,
            "layout": row.layout or None,
            "secret": row.secret,
            "families": list(row.families),
            "description": row.description,
            "confidence": row.confidence,
            "sources": list(row.sources),
        }


def _enumerations() -> Iterator[Line]:
    for name in enumeration_names():
        for number, meaning in sorted(enumeration(name).items()):
            yield {"enumeration": name, "number": number, "key": meaning.key, "label": meaning.label}


def _errors() -> Iterator[Line]:
    for name, sentence, code in error_kinds():
        yield {"error": name, "what_happened": sentence, "exit_code": code}


DATA: dict[str, Callable[[], Iterator[Line]]] = {
    "devices": _devices,
    "records": _records,
    "metrics": _metrics,
    "registers": _registers,
    "enumerations": _enumerations,
    "errors": _errors,
}
"""The function that yields the rows of a page of the reference, by page."""
