"""Register values for people and programs: a table, JSON Lines, CSV."""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bluewatt.cli.terminal import PLAIN_WIDTH
from bluewatt.cli.words import ABSENT, register_label
from bluewatt.model.identity import Device
from bluewatt.model.json_objects import utc_text
from bluewatt.model.register_values import HIDDEN, RegisterValue
from bluewatt.schema import Code, Flags, Groups
from bluewatt.tables.products import product_name
from bluewatt.wire.printable import printable

COLUMNS = ("key", "value", "unit", "register", "instance")
"""Of the CSV form."""

_encode = msgspec.json.Encoder().encode


def value_text(value: RegisterValue) -> str:
    """The value without its unit; a mark for none."""
    if value.secret:
        return HIDDEN
    if value.problem:
        return f"{value.raw.hex(' ')} ({value.problem})"
    if value.meaning is None:
        return value.raw.hex(" ")
    told = _TOLD.get(value.meaning.layout)
    return told(value.value) if told and value.value else plain_text(value.value, value.meaning.scale.decimals)


_TOLD: dict[str, Callable[[dict[str, Any]], str]] = {
    "product_id": lambda fields: product_name(int(fields["product_id"])),
    "firmware_version": lambda fields: str(fields["version"]),
}
"""Layouts of which people want one field."""


def plain_text(value: Any, decimals: int | None = None) -> str:
    """Any value of a register or of a compound's field, in words."""
    if value is None or value == "":
        return ABSENT
    if isinstance(value, dict):
        return ", ".join(f"{key} {plain_text(item)}" for key, item in value.items())
    if isinstance(value, list | tuple):
        return " ".join(map(plain_text, value))
    if isinstance(value, bytes):
        return value.hex(" ")
    if isinstance(value, float) and decimals is not None:
        return f"{value:.{decimals}f}"
    return printable(str(value))


def device_title(device: Device) -> str:
    """A line that says which device it is."""
    product = product_name(device.product_id) if device.product_id is not None else ""
    name = printable(device.name or "")
    parts = [name, product if product not in name else "", device.address]
    return "  ".join(part for part in parts if part)


def console() -> Console:
    """The screen; wide enough where there is none."""
    made = Console()
    if not made.is_terminal:
        made.width = max(made.width, PLAIN_WIDTH)
    return made


def print_table(device: Device, values: Sequence[RegisterValue]) -> None:
    """Names, values and units."""
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    table.add_column("Name", no_wrap=True)
    table.add_column("Value", overflow="fold")
    table.add_column("Key", style="dim", no_wrap=True)
    table.add_column("Register", style="dim", no_wrap=True)
    for value in values:
        text = f"{value_text(value)} {value.unit}".rstrip() if value.value is not None else value_text(value)
        table.add_row(Text(register_label(value)), Text(text), value.key, f"0x{value.register:04X}")
    screen = console()
    screen.print(Text(device_title(device), "bold"))
    screen.print(table)


def json_reading(device: Device, at: float, origin: str, value: RegisterValue) -> bytes:
    """One register as an object of JSON Lines, without the line end: the form of VictronConnect traffic."""
    known: dict[str, Any] = {"id": device.id, "address": device.address, "name": device.name}
    if device.product_id is not None:
        known |= {"product_id": f"0x{device.product_id:04X}", "product": product_name(device.product_id)}
    head = {"at": utc_text(at), "source": origin, "kind": "vreg", "device": known, "direction": "device"}
    return _encode(head | {"message": "value"} | value.as_json())


def write_json(line: bytes) -> None:
    """A line on standard output, at once."""
    sys.stdout.buffer.write(line + b"\n")
    sys.stdout.buffer.flush()


def csv_cells(value: RegisterValue) -> list[Any]:
    """The cells of a value, see COLUMNS; lists are joined by semicolons."""
    shown = value.as_json()
    return [value.key, csv_cell(shown["value"]), value.unit, shown["register"], value.instance]


def csv_cell(value: Any) -> Any:
    """One cell: nothing for none, lists joined by semicolons, the rest as JSON has it."""
    if value is None:
        return ""
    if isinstance(value, list | tuple):
        return ";".join(map(str, map(csv_cell, value)))
    if isinstance(value, dict):
        return ";".join(f"{key}={csv_cell(item)}" for key, item in value.items())
    return value.as_json() if isinstance(value, Code | Flags | Groups) else value


def write_csv(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """A CSV on standard output, a head line first."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(head)
    for row in rows:
        writer.writerow(row)
        sys.stdout.flush()
