"""`bluewatt history`: the days or counters that a device keeps."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import click
import msgspec
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

from bluewatt.app.links import Target, with_link
from bluewatt.cli.link_options import link_options
from bluewatt.cli.option_rules import RuledCommand, excludes
from bluewatt.cli.options import given_names, json_option
from bluewatt.exports.csv_values import COLUMNS, csv_cell, csv_cells, write_csv
from bluewatt.exports.jsonlines import write_json
from bluewatt.exports.terminal.names import with_given_name
from bluewatt.exports.terminal.registers import console, print_table
from bluewatt.model.display import device_title, plain_text
from bluewatt.model.identity import Device
from bluewatt.services.readout import Day, History, read_history
from bluewatt.tables.compounds import LAYOUTS
from bluewatt.tables.metrics import label_of_key
from bluewatt.wire.registers.values import plain

if TYPE_CHECKING:
    from bluewatt.transports.ble.central import Central
    from bluewatt.transports.ble.link import BleLink

_DAY, _TOTAL = "history_day", "history_total"
_HIDDEN = frozenset({"version", "error_database", "day_sequence", "rest"})
_SHORT = {
    "yield": "Yield", "consumed": "Consumed", "maximum_battery_voltage": "Battery max",
    "minimum_battery_voltage": "min", "maximum_pv_power": "PV max", "maximum_battery_current": "Current max",
    "maximum_pv_voltage": "PV max", "time_in_bulk": "Bulk", "time_in_absorption": "Absorption",
    "time_in_float": "Float",
}  # fmt: skip
"""Headings of the table of days, by field."""

_encode = msgspec.json.Encoder().encode


RULES = (excludes("--json", "--csv"),)


EXAMPLES = (
    ("history roof", "the days that a solar charger keeps"),
    ("history --nearest --csv", "the history of the nearest device as CSV"),
)


@click.command("history", cls=RuledCommand, rules=RULES, examples=EXAMPLES)
@click.argument("device", required=False)
@json_option("Print JSON Lines: the totals, then an object per day or counter.")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV: a line per day or counter.")
@link_options()
def command(
    as_json: bool,
    as_csv: bool,
    target: Target,
) -> None:
    """Print the days that a solar charger keeps (up to 31), or the counters of a battery monitor or inverter.

    A solar charger ends its day at dusk; the dates are counted back from today.
    """
    device, history = with_link(target, _read)
    if as_json:
        _print_json(device, history)
    elif as_csv:
        _print_csv(history)
    else:
        _print_tables(device, history)


async def _read(link: BleLink, central: Central) -> tuple[Device, History]:
    screen = Console(stderr=True)
    with Progress(console=screen, transient=True, disable=not screen.is_terminal) as progress:
        task = progress.add_task("history", total=None)

        def on_day(read: int, days: int) -> None:
            progress.update(task, completed=read, total=days)

        history = await read_history(link, today=date.today(), on_day=on_day)
    return link.device, history


def _units(layout: str) -> dict[str, str]:
    return {field.name: field.unit for field in LAYOUTS[layout].fields}


def _print_json(device: Device, history: History) -> None:
    head: dict[str, Any] = {"device": {"id": device.id, "address": device.address, "name": device.name}}
    if history.totals:
        write_json(_encode(head | {"kind": "history_total", "values": plain(history.totals)}))
    for day in history.days:
        facts = {"kind": "history_day", "date": day.on.isoformat(), "days_ago": day.ago, "values": plain(day.values)}
        write_json(_encode(head | facts))
    for counter in history.counters:
        write_json(_encode(head | {"kind": "history_counter"} | counter.as_json()))


def _fields(days: list[Day]) -> list[str]:
    return [name for name in _units(_DAY) if name not in _HIDDEN and any(name in day.values for day in days)]


def _print_csv(history: History) -> None:
    if history.counters:
        write_csv(COLUMNS, map(csv_cells, history.counters))
        return
    fields = _fields(history.days)
    rows = ([day.on.isoformat(), *(csv_cell(day.values.get(name)) for name in fields)] for day in history.days)
    write_csv(["date", *fields], rows)


def _print_tables(device: Device, history: History) -> None:
    if history.counters:
        print_table(device, history.counters, names=given_names())
        return
    screen = console()
    screen.print(Text(device_title(with_given_name(device, given_names())), "bold"))
    units = _units(_TOTAL)
    for name, value in history.totals.items():
        if name in units and name not in _HIDDEN and name != "errors":
            screen.print(f"{label_of_key(name)}: {plain_text(value)} {units[name]}".rstrip())
    screen.print(_days_table(history.days))


def _days_table(days: list[Day]) -> Table:
    units = _units(_DAY)
    fields = [name for name in _fields(days) if name in _SHORT]
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    table.add_column("Day", no_wrap=True)
    for name in fields:
        table.add_column(f"{_SHORT[name]} {units[name]}".rstrip(), justify="right")
    table.add_column("Errors")
    for day in days:
        errors = [str(error) for error in day.values.get("errors") or [] if error]
        table.add_row(day.on.isoformat(), *(plain_text(day.values.get(name)) for name in fields), " ".join(errors))
    return table
