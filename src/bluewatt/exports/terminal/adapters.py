"""The Bluetooth adapters of this computer as a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from bluewatt.exports.terminal.registers import console
from bluewatt.model.display import ABSENT
from bluewatt.wire.printable import printable

if TYPE_CHECKING:  # the module of adapters needs the libraries for Bluetooth
    from bluewatt.transports.ble.adapters import AdapterInfo


def print_adapters(adapters: Sequence[AdapterInfo]) -> None:
    """Print a line per adapter, and below it what keeps the system from using it."""
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    for column in ("Adapter", "Address", "Name", "State", "Radio"):
        table.add_column(column, overflow="fold")
    for adapter in adapters:
        cells = (adapter.name, adapter.address or ABSENT, adapter.alias or ABSENT, adapter_state(adapter))
        table.add_row(*(Text(printable(cell)) for cell in cells), Text(", ".join(adapter.radios) or ABSENT))
    screen = console()
    screen.print(table)
    for adapter in adapters:
        if adapter.problem:
            screen.print(Text(f"{adapter.name}: {adapter.problem}"))


def adapter_state(adapter: AdapterInfo) -> str:
    """Return the state of an adapter in a few words."""
    if adapter.problem:
        return "cannot be used"
    if adapter.powered is None:
        return "not known"
    if not adapter.powered:
        return "off"
    return "on, scanning" if adapter.scanning else "on"
