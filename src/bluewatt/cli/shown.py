"""Register values for people and programs: a table, JSON Lines, CSV."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bluewatt.cli.terminal import PLAIN_WIDTH
from bluewatt.model.display import device_title, register_label, register_text
from bluewatt.model.identity import Device
from bluewatt.model.register_values import RegisterValue
from bluewatt.schema import Code, Flags, Groups

COLUMNS = ("key", "value", "unit", "register", "instance")
"""Of the CSV form."""

_encode = msgspec.json.Encoder().encode


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
        text = f"{register_text(value)} {value.unit}".rstrip() if value.value is not None else register_text(value)
        table.add_row(Text(register_label(value)), Text(text), value.key, f"0x{value.register:04X}")
    screen = console()
    screen.print(Text(device_title(device), "bold"))
    screen.print(table)


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
