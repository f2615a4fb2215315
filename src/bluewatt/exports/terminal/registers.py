"""Register values for people: a table of names, values and units."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from bluewatt.exports.terminal.layout import GAP, output_width
from bluewatt.exports.terminal.names import NO_NAMES, with_given_name
from bluewatt.model.display import device_title, register_label, register_text
from bluewatt.model.identity import Device
from bluewatt.model.register_values import RegisterValue


def console() -> Console:
    """Return a console on standard output that is wide enough for a table."""
    made = Console()
    made.width = output_width(made)
    return made


def print_table(device: Device, values: Sequence[RegisterValue], *, names: Mapping[str, str] = NO_NAMES) -> None:
    """Print which device it is, then its registers with their values and units."""
    table = Table(box=None, padding=(0, GAP, 0, 0), pad_edge=False, header_style="bold")
    table.add_column("Name", no_wrap=True)
    table.add_column("Value", overflow="fold")
    table.add_column("Key", style="dim", no_wrap=True)
    table.add_column("Register", style="dim", no_wrap=True)
    for value in values:
        text = f"{register_text(value)} {value.unit}".rstrip() if value.value is not None else register_text(value)
        table.add_row(Text(register_label(value)), Text(text), value.key, f"0x{value.register:04X}")
    screen = console()
    screen.print(Text(device_title(with_given_name(device, names)), "bold"))
    screen.print(table)
