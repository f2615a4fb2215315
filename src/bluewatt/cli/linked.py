"""What the commands that connect share: their options, the PIN, and one run of a coroutine with a link."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from bluewatt.app.links import Target
from bluewatt.cli.options import POSITIVE, SECRET
from bluewatt.services.pins import PIN, find_pin
from bluewatt.transports.ble.channel import FIND, NEAREST
from bluewatt.transports.radio_names import DEFAULT_RADIO

Command = TypeVar("Command", bound=Callable[..., Any])


LINK_OPTIONS = ("--nearest", "--pin", "--adapter", "--radio", "--timeout")
"""What `link_options` adds."""


def link_options(command: Command) -> Command:
    """`--nearest`, `--pin`, `--adapter`, `--radio`, `--timeout`."""
    for option in (
        click.option(
            "--timeout", type=POSITIVE, default=FIND, show_default=True, metavar="N",
            help="Seconds to look for the device.",
        ),
        click.option(
            "--radio", metavar="RADIO",
            help="ble: (this computer's Bluetooth), virtual: (emulated devices, PIN 000000), or an adapter nothing "
            "else uses: usb:0, hci-socket:0, tcp-client:HOST:PORT. [default: ble:]",
        ),
        click.option("--adapter", metavar="NAME", help="Bluetooth adapter, such as hci1. [default: the first]"),
        click.option(
            "--pin", type=SECRET, metavar="DIGITS",
            help="The device's PIN: six digits, wanted once. Others can see it here while the command runs: better the "
            f"environment variable {PIN} or the file pins.toml (readable by you alone).",
        ),
        click.option("--nearest", is_flag=True, help="The nearest Victron device, by signal strength."),
    ):  # fmt: skip
        command = option(command)
    return command


def target_of(
    device: str | None, *, nearest: bool, pin: str | None, adapter: str | None, radio: str | None, timeout: float
) -> Target:
    """The target that options name; usage and PIN errors at once, before any radio is used."""
    if nearest == (device is not None):
        raise click.UsageError("name a DEVICE (address or part of its name), or say --nearest: one of the two")
    if adapter and radio:
        raise click.UsageError("--adapter is for this computer's Bluetooth, --radio names another: one of the two")
    spec = f"{DEFAULT_RADIO}{adapter}" if adapter else radio or DEFAULT_RADIO
    return Target(device, spec, find_pin(device, pin), timeout, min(NEAREST, timeout))
