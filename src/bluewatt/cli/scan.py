"""`bluewatt scan`: the devices that are heard, nearest first."""

from __future__ import annotations

from functools import partial

import click

from bluewatt.app.listening import Screen, listen
from bluewatt.cli.option_rules import RuledCommand
from bluewatt.cli.options import Listening, listen_options
from bluewatt.exports.terminal.screens import JsonScreen, TableScreen, overview

EXAMPLES = (
    ("scan", "the devices around you, until Ctrl-C"),
    ("scan --seconds 20 --json", "a JSON object per reading, for twenty seconds"),
    ("scan capture:drive.pcapng", "the devices in a capture"),
)


@click.command("scan", cls=RuledCommand, examples=EXAMPLES)
@click.argument("source", default="ble:")
@click.option("--adapter", metavar="NAME", help="The Bluetooth adapter, such as hci1. [default: the first that is on]")
@listen_options()
def command(
    source: str,
    adapter: str | None,
    listening: Listening,
) -> None:
    """List the devices heard, nearest first, each with its values or the reason why it shows none.

    SOURCE is "ble:" (the default), "ble:hci1", "capture:FILE?speed=10", "virtual:", or an adapter that nothing else
    uses: "usb:0", "hci-socket:0", "tcp-client:HOST:PORT".
    """
    if adapter and source != "ble:":
        raise click.UsageError("--adapter is for the source ble: alone")
    spec = f"ble:{adapter}" if adapter else source
    limit = listening.limit(spec)
    names = {} if listening.as_json else listening.names()

    def screen() -> Screen:
        if listening.as_json:
            return JsonScreen()
        return TableScreen(partial(overview, ending="" if limit else "Ctrl-C ends", names=names))

    listen(
        spec, keys=listening.key_ring(), networks=listening.networks(), screen=screen,
        seconds=limit, record=listening.record,
    )  # fmt: skip
