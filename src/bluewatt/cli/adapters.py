"""`bluewatt adapters`: the Bluetooth adapters of this computer and the strings that name them."""

from __future__ import annotations

import click
import msgspec

from bluewatt.app.lifetime import run_interruptible
from bluewatt.app.radios import radio_libraries
from bluewatt.cli.option_rules import RuledCommand
from bluewatt.cli.options import json_option
from bluewatt.errors import AdapterUnavailable
from bluewatt.exports.jsonlines import write_json
from bluewatt.exports.terminal.adapters import print_adapters

EXAMPLES = (
    ("adapters", "the adapters, their state, and what to write for --radio or as SOURCE"),
    ("adapters --json", "the same as JSON Lines, one object per adapter"),
)


@click.command("adapters", cls=RuledCommand, examples=EXAMPLES)
@json_option("Print JSON Lines, one object per adapter.")
def command(as_json: bool) -> None:
    """List the Bluetooth adapters of this computer: their state, and what names them for --radio or as SOURCE."""
    with radio_libraries():
        from bluewatt.transports.ble.adapters import list_adapters
    found = run_interruptible(list_adapters())
    if not found:
        raise AdapterUnavailable("this computer has no Bluetooth adapter: plug one in, or switch it on (rfkill list)")
    if not as_json:
        return print_adapters(found)
    for adapter in found:
        write_json(msgspec.json.encode({"kind": "adapter"} | msgspec.structs.asdict(adapter)))
