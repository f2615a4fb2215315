"""Register values for people and programs: a table, JSON Lines, CSV."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bluewatt.exports.terminal.devices import PLAIN_WIDTH
from bluewatt.model.display import device_title, register_label, register_text
from bluewatt.model.identity import Device
from bluewatt.model.register_values import RegisterValue

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
