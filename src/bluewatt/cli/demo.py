"""`bluewatt demo`: a simulated site on a virtual radio, received like real devices; or served to other receivers."""

from __future__ import annotations

from contextlib import nullcontext
from functools import partial
from urllib.parse import urlencode

import click
from rich.console import Console

from bluewatt.app.decoding.output import output_file
from bluewatt.app.lifetime import run_until_stopped
from bluewatt.app.listening import Screen, listen
from bluewatt.cli.option_rules import RuledCommand, excludes, needs
from bluewatt.cli.options import FiniteRange, Listening, listen_options
from bluewatt.exports.terminal.screens import JsonScreen, TableScreen, overview
from bluewatt.extras import VIRTUAL_RADIO, libraries_for
from bluewatt.model.keys import KeyRing
from bluewatt.services.simulator.clock import FASTEST, MOST_DEVICES
from bluewatt.time_limit import time_limit

PICTURE_WIDTH = 124
"""Columns of the terminal in a picture."""
TITLE = "bluewatt demo"
"""The title of a picture."""


RULES = (excludes("--serve", "--json", "--record", "--picture"), needs("--force", any_of=("--picture",)))


EXAMPLES = (
    ("demo", "a live table of a simulated site, until Ctrl-C"),
    ("demo --speed 600 --devices 20", "twenty devices, and an hour in six seconds"),
    ("demo --serve tcp-server:127.0.0.1:7001", "the same site, for other programs to receive"),
)


@click.command("demo", cls=RuledCommand, rules=RULES, examples=EXAMPLES)
@click.option(
    "--seed",
    type=int,
    default=1,
    show_default=True,
    metavar="N",
    help="The number of the site: each is another one, always the same.",
)
@click.option(
    "--speed", type=FiniteRange(0, FASTEST, min_open=True), default=1.0, show_default=True, metavar="FACTOR",
    help="How fast time passes at the site: with 60, an hour in a minute.",
)  # fmt: skip
@click.option(
    "--devices", type=click.IntRange(1, MOST_DEVICES), metavar="N",
    help=f"The number of devices, at most {MOST_DEVICES}. [default: 12]",
)  # fmt: skip
@listen_options(keys=False)
@click.option(
    "--serve", metavar="TRANSPORT",
    help="Advertise the site to other programs in place of showing it: vhci (this computer's Bluetooth; Linux, root), "
    "tcp-server:HOST:PORT, usb:0 or hci-socket:0 (a real adapter). Prints the keys.",
)  # fmt: skip
@click.option("--picture", type=click.Path(dir_okay=False), hidden=True, help="Write the last table to this SVG file.")
@click.option("--force", is_flag=True, hidden=True, help="Replace the picture if it exists.")
def command(
    seed: int,
    speed: float,
    devices: int | None,
    listening: Listening,
    serve: str | None,
    picture: str | None,
    force: bool,
) -> None:
    """Show a small simulated site, live. This needs neither Bluetooth nor configuration.

    Only the devices are simulated. They advertise, encrypted, on a virtual Bluetooth radio; the scanner that drives a
    real adapter receives them, and their advertisements are decrypted and decoded like real ones.
    """
    options = {"seed": seed, "speed": speed} | ({"devices": devices} if devices else {})
    with libraries_for("the demo", *VIRTUAL_RADIO):
        if serve:
            _serve(options, serve, listening.seconds)
        else:
            _show(f"virtual:?{urlencode(options)}", listening, picture=picture, force=force)


def _show(spec: str, listening: Listening, *, picture: str | None, force: bool) -> None:
    limit = listening.limit()
    console = Console(record=True, width=PICTURE_WIDTH, force_terminal=True) if picture else None

    def screen() -> Screen:
        if listening.as_json:
            return JsonScreen()
        return TableScreen(partial(overview, ending="" if limit else "Ctrl-C ends"), console=console)

    with output_file(picture, force=force) if picture else nullcontext() as out:
        source = listen(spec, keys=KeyRing(), screen=screen, seconds=limit, record=listening.record)
        if out is not None:
            from bluewatt.exports.terminal.picture import write_picture

            write_picture(out, overview(source, PICTURE_WIDTH), width=PICTURE_WIDTH, title=TITLE)
            out.keep()


def _serve(options: dict[str, float], transport: str, seconds: float | None) -> None:
    from bluewatt.app.virtual_site import serve
    from bluewatt.services.simulator import DEFAULT_START, TYPICAL, Site
    from bluewatt.services.simulator.clock import SiteClock

    site = Site(int(options["seed"]), devices=int(options.get("devices", TYPICAL)))
    click.echo(
        f"# {len(site.devices)} devices on {transport}; save this as the key file, readable by you alone (chmod 600)"
    )
    for device in site.devices:
        click.echo(f'"{device.address}" = "{device.key.hex()}"  # {device.name}')

    async def serving() -> None:
        async with time_limit(seconds):
            await serve(site, transport, SiteClock(DEFAULT_START, options["speed"]))

    run_until_stopped(serving())
