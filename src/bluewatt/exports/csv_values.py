"""CSV, streamed."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from bluewatt.exports.decoded_input import DecodedInput
from bluewatt.model.dialogue.conversation import Line
from bluewatt.model.dialogue.sentences import value_words, values_of
from bluewatt.model.dialogue.transcript import TranscriptItem
from bluewatt.model.json_objects import json_value, utc_text
from bluewatt.model.reading import Reading
from bluewatt.model.register_values import HIDDEN, RegisterReading, RegisterValue
from bluewatt.safe_write import Writable
from bluewatt.schema import Code, Flags, TwoBitFields
from bluewatt.tables.products import product_name
from bluewatt.wire.registers.values import plain

COLUMNS = ("key", "value", "unit", "register", "instance")
"""The headings of a CSV of registers."""


def csv_cells(value: RegisterValue) -> list[Any]:
    """Return the cells of a value in the order of COLUMNS."""
    plain_value = value.as_json()
    return [value.key, csv_cell(plain_value["value"]), value.unit, plain_value["register"], value.instance]


def csv_cell(value: Any) -> Any:
    """Return one cell: empty for None, the items of a list joined by semicolons, the rest as JSON has it."""
    if value is None:
        return ""
    if isinstance(value, list | tuple):
        return ";".join(map(str, map(csv_cell, value)))
    if isinstance(value, dict):
        return ";".join(f"{key}={csv_cell(item)}" for key, item in value.items())
    return value.as_json() if isinstance(value, Code | Flags | TwoBitFields) else value


def write_csv(headings: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Write a CSV to standard output, its headings first."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(headings)
    for row in rows:
        writer.writerow(row)
        sys.stdout.flush()


CSV_HEADER = (
    *("at", "source", "address", "name", "product", "record", "metric", "value", "unit"),
    *("connection", "number", "direction", "message", "instance", "register", "raw"),
)
"""The headings of a CSV of captures: those of every value, then those of values from conversations."""

_CONVERSATION_CELLS = ("",) * 7


def to_csv(inputs: Iterable[DecodedInput], out: Writable) -> None:
    """Write a line per value: such a table can be streamed, and no record needs the columns of another."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(CSV_HEADER)
    made = 0
    try:
        for one in inputs:
            for _, entries in one.packets:
                for entry in entries:
                    writer.writerows(_csv_rows(entry, one))
                    made += 1
                if made >= one.block:
                    _drain(text, out)
                    made = 0
    finally:
        _drain(text, out)


def _csv_rows(entry: TranscriptItem, given: DecodedInput) -> Iterator[tuple[object, ...]]:
    if isinstance(entry, Reading):
        yield from _reading_rows(entry)
    elif isinstance(entry, RegisterReading):
        head = (utc_text(entry.at), given.source, entry.device.address, entry.device.name, None, entry.medium)
        for value in entry.values:
            yield *head, *_value_cells(value, given), *("",) * 5, f"0x{value.register:04X}", value.raw.hex()
    elif isinstance(entry, Line):
        yield from _line_rows(entry, given)


def _reading_rows(reading: Reading) -> Iterator[tuple[object, ...]]:
    device = reading.device
    product = product_name(device.product_id) if device.product_id is not None else None
    head = (utc_text(reading.at), reading.frame.origin, device.address, device.name, product)
    for row in reading.record.rows:
        value = getattr(reading.record, row.name)
        if value is not None and not row.hidden:
            plainly = json_value(value)
            text = " ".join(map(str, plainly)) if isinstance(plainly, (list, tuple)) else plainly
            yield *head, reading.record.record_name, row.name, text, row.unit, *_CONVERSATION_CELLS


def _line_rows(line: Line, given: DecodedInput) -> Iterator[tuple[object, ...]]:
    device = line.device
    product = product_name(device.product_id) if device.product_id is not None else None
    head = (utc_text(line.at), given.source, device.address, device.name, product, line.kind)
    side = line.direction.value if line.direction else ""
    for value in values_of(line):
        raw = HIDDEN if value.secret and not given.reveal else value.raw.hex()
        where = (line.link, line.number, side, line.message, value.instance, f"0x{value.register:04X}", raw)
        yield *head, *_value_cells(value, given), *where


def _value_cells(value: RegisterValue, given: DecodedInput) -> tuple[object, ...]:
    if value.secret and not given.reveal:
        return value.key, HIDDEN, ""
    plainly = plain(value.value)
    text = plainly if isinstance(plainly, int | float | str) else value_words(value) if plainly is not None else ""
    return value.key, text, value.unit


def _drain(text: io.StringIO, out: Writable) -> None:
    out.write(text.getvalue().encode())
    out.flush()
    text.seek(0)
    text.truncate()
