"""Options that several commands share, spelled and explained once."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from typing import Any, TypeVar

import click

from bluewatt.app.links import Target
from bluewatt.secret import SecretText
from bluewatt.services.pins import PIN, find_pin
from bluewatt.transports.ble.channel import FIND, NEAREST
from bluewatt.transports.radio_names import DEFAULT_RADIO

Command = TypeVar("Command", bound=Callable[..., Any])
Decorator = Callable[[Command], Command]


class FiniteRange(click.FloatRange):
    """A range of numbers: click's own takes "nan" for within any range, and "inf" for within one without end."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The number; a usage error for what is none."""
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value!r} is not a number to count with.", param, ctx)
        return number


class SecretType(click.types.StringParamType):
    """A text that is never printed: a key or a PIN."""

    name = "text"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> SecretText:
        """Return it as a secret."""
        return value if isinstance(value, SecretText) else SecretText(value)


SECRET = SecretType()
"""The type of options that take a key or a PIN."""

POSITIVE = FiniteRange(min=0, min_open=True)
"""The type of options that count seconds."""


def keys_options(command: Command) -> Command:
    """`--key` (again and again) and `--keys`."""
    for option in (
        click.option(
            "--keys", "keys_file", type=click.Path(dir_okay=False), metavar="FILE",
            help="Key file (TOML, readable by you alone). [default: the one in your configuration folder]",
        ),
        click.option(
            "--key", "keys", type=SECRET, multiple=True, metavar="[ADDRESS=]KEY",
            help="A device's key: 32 hex digits. Without address it is tried on every device. Repeatable; "
            "the environment variable BLUEWATT_KEYS takes several, with commas.",
        ),
    ):  # fmt: skip
        command = option(command)
    return command


def live_options(command: Command) -> Command:
    """`--seconds`, `--json` and `--record`."""
    for option in (
        click.option(
            "--record", type=click.Path(dir_okay=False), metavar="FILE",
            help="Append every advertisement, still encrypted, to this file; `capture:FILE` plays it again.",
        ),
        json_option("Print JSON Lines, one object per reading, instead of tables."),
        click.option(
            "--seconds", type=POSITIVE, metavar="N",
            help="End after so many seconds. [default: Ctrl-C ends; 10 where no terminal is there]",
        ),
    ):  # fmt: skip
        command = option(command)
    return command


def force_option(command: Command) -> Command:
    """`--force`."""
    return click.option("--force", is_flag=True, help="Replace the file to write if it exists.")(command)


def json_option(explained: str) -> Decorator[Any]:
    """`--json`."""
    return click.option("--json", "as_json", is_flag=True, help=explained)


WITHOUT_TERMINAL = 10.0
"""Seconds a command runs where nobody can press Ctrl-C and none were named."""


def limit_of(seconds: float | None, spec: str = "") -> float | None:
    """How long to listen: as asked, for ever on a terminal or to a capture (it ends itself), else WITHOUT_TERMINAL."""
    endless = sys.stdout.isatty() or spec.startswith("capture:")
    return seconds if seconds is not None or endless else WITHOUT_TERMINAL


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
