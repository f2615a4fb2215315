"""`bluewatt read`: connect to a device and print its values."""

from __future__ import annotations

import csv
import sys
import time
from collections.abc import Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING

import click

from bluewatt.app.lifetime import run_interruptible, run_until_stopped
from bluewatt.app.links import Target, work_on_link
from bluewatt.cli.link_options import link_options
from bluewatt.cli.option_rules import RuledCommand, excludes
from bluewatt.cli.options import given_names, json_option
from bluewatt.exports.csv_values import COLUMNS, csv_cells, write_csv
from bluewatt.exports.jsonlines import write_json
from bluewatt.exports.terminal.registers import print_table
from bluewatt.model.display import register_label, register_text
from bluewatt.model.json_objects import json_reading
from bluewatt.model.register_values import RegisterReading, RegisterValue
from bluewatt.services.readout import GROUPS, read_group, read_named
from bluewatt.tables.gatt import KEEP_ALIVE_REGISTER

if TYPE_CHECKING:
    from bluewatt.transports.ble.central import Central
    from bluewatt.transports.ble.link import BleLink

DEFAULT_GROUPS = ("facts", "live")
"""What is read if nothing is named."""


RULES = (excludes("--all", "--group"), excludes("--json", "--csv"))


EXAMPLES = (
    ("read shunt --pin 014916", "what a device is and its live values; pairs with it the first time"),
    ("read --nearest battery_voltage state_of_charge", "two values of the nearest device"),
    ("read AA:BB:CC:DD:EE:FF --all --csv", "every register that is known, as CSV"),
)


@click.command("read", cls=RuledCommand, rules=RULES, examples=EXAMPLES)
@click.argument("arguments", nargs=-1, metavar="[DEVICE] [NAME]...")
@click.option("--all", "everything", is_flag=True, help="Read every register known for the family of the device.")
@click.option(
    "--group", "groups", multiple=True, type=click.Choice(list(GROUPS)), help="Read a group of registers. Repeatable."
)
@click.option("--stream", is_flag=True, help="Keep printing what changes, until Ctrl-C.")
@json_option("Print JSON Lines, one object per register.")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV.")
@link_options()
def command(
    arguments: tuple[str, ...],
    everything: bool,
    groups: tuple[str, ...],
    stream: bool,
    as_json: bool,
    as_csv: bool,
    target: Target,
) -> None:
    """Connect to a device and print what it knows, by name, with units.

    DEVICE is an address or a part of a name; leave it out with --nearest. NAME is a metric such as battery_voltage, the
    key of a register, or its number such as 0xED8D. Without names, the facts of the device and its live values are
    read.
    """
    chosen = ("all",) if everything else groups or (() if arguments else DEFAULT_GROUPS)
    printer = _Printer(as_json=as_json, as_csv=as_csv)

    async def work(link: BleLink, central: Central) -> None:
        values = await read_named(link, arguments) if arguments else []
        values += await read_group(link, *chosen) if chosen else []
        serial = next((value.value for value in values if value.key == "serial_number"), None)
        link.know_serial(serial or "")
        printer.put(link, central.origin, values)
        if stream:
            await _follow(link, printer, {value.register for value in values} if arguments else None)

    run = run_until_stopped if stream else run_interruptible  # Ctrl-C is the good end of a stream
    run(work_on_link(target, work))


async def _follow(link: BleLink, printer: _Printer, wanted: set[int] | None) -> None:
    async with aclosing(link.subscribe()) as readings:
        async for reading in readings:
            number = reading.values[0].register
            if number in wanted if wanted else number != KEEP_ALIVE_REGISTER:  # it is about the link, not the device
                printer.follow(reading)


class _Printer:
    """Prints values as a table, JSON Lines or CSV."""

    def __init__(self, *, as_json: bool, as_csv: bool) -> None:
        self._as_json = as_json
        self._as_csv = as_csv

    def put(self, link: BleLink, origin: str, values: Sequence[RegisterValue]) -> None:
        """Print what was read."""
        if self._as_json:
            for value in values:
                write_json(json_reading(link.device, time.time(), origin, value))
        elif self._as_csv:
            write_csv(COLUMNS, map(csv_cells, values))
        else:
            print_table(link.device, values, names=given_names())

    def follow(self, reading: RegisterReading) -> None:
        """Print one more value that the device sent."""
        (value,) = reading.values
        if self._as_json:
            write_json(json_reading(reading.device, reading.at, reading.origin, value))
        elif self._as_csv:
            csv.writer(sys.stdout, lineterminator="\n").writerow(csv_cells(value))
            sys.stdout.flush()
        else:
            click.echo(f"{register_label(value)}: {register_text(value)} {value.unit}".rstrip())
