"""`bluewatt scan`: the devices around, nearest first."""

from __future__ import annotations

from functools import partial

import click

from bluewatt.app.listening import Screen, listen
from bluewatt.cli.options import keys_options, limit_of, live_options
from bluewatt.exports.terminal.screens import JsonScreen, TableScreen, overview
from bluewatt.services.keys import gather_keys, gather_networks


@click.command("scan")
@click.argument("source", default="ble:")
@click.option("--adapter", metavar="NAME", help="Bluetooth adapter, such as hci1. [default: the first that is on]")
@live_options
@keys_options
def command(
    source: str,
    adapter: str | None,
    seconds: float | None,
    as_json: bool,
    record: str | None,
    keys: tuple[str, ...],
    keys_file: str | None,
) -> None:
    """List the devices heard, nearest first: what each is, its values, or why it shows none.

    SOURCE is "ble:" (the default), "ble:hci1", "capture:FILE?speed=10", "virtual:", or an adapter that nothing else
    uses: "usb:0", "hci-socket:0", "tcp-client:HOST:PORT".
    """
    if adapter and source != "ble:":
        raise click.UsageError("--adapter is for the source ble: alone")
    spec = f"ble:{adapter}" if adapter else source
    limit = limit_of(seconds, spec)

    def screen() -> Screen:
        return JsonScreen() if as_json else TableScreen(partial(overview, ending="" if limit else "Ctrl-C ends"))

    listen(
        spec, keys=gather_keys(keys, keys_file), networks=gather_networks(keys_file), screen=screen,
        seconds=limit, record=record,
    )  # fmt: skip
