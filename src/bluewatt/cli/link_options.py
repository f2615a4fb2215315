"""The options of commands that connect to a device, which become one `Target`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

import click

from bluewatt.app.links import Target
from bluewatt.cli.options import POSITIVE, SECRET, Decorator, add_options
from bluewatt.services.pins import PIN, find_pin
from bluewatt.transports.ble.channel import FIND, NEAREST
from bluewatt.transports.radio_names import DEFAULT_RADIO

LINK_OPTIONS = ("--nearest", "--pin", "--adapter", "--radio", "--timeout")
"""The options that `link_options` adds."""

_OPTIONS: Sequence[Decorator] = (
    click.option("--nearest", is_flag=True, help="Take the nearest Victron device, by signal strength."),
    click.option(
        "--pin", type=SECRET, metavar="DIGITS",
        help="The PIN of the device: six digits, needed once. Other users of this computer can see it here while the "
        f"command runs; the environment variable {PIN} and the file pins.toml (readable by you alone) are safer.",
    ),
    click.option(
        "--adapter", metavar="NAME",
        help="A Bluetooth adapter, such as hci1: short for --radio ble:NAME; `bluewatt adapters` lists them. "
        "[default: the first]",
    ),
    click.option(
        "--radio", metavar="RADIO",
        help="ble: (this computer's Bluetooth), virtual: (emulated devices, PIN 000000), or an adapter that nothing "
        "else uses: usb:0, hci-socket:0, tcp-client:HOST:PORT. [default: ble:]",
    ),
    click.option(
        "--timeout", type=POSITIVE, default=FIND, show_default=True, metavar="N",
        help="Give up looking for the device after N seconds.",
    ),
)  # fmt: skip


def link_options(*instead: str) -> Decorator:
    """Add `--nearest`, `--pin`, `--adapter`, `--radio` and `--timeout`.

    The command gets one parameter `target` in place of them and of the device, which is its parameter `device` or the
    first word of its parameter `arguments`. If one of the parameters `instead` is given, the command needs no device:
    the target then names a radio alone, and `arguments` stay whole.
    """

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(command)
        def with_target(
            *, nearest: bool, pin: str | None, adapter: str | None, radio: str | None, timeout: float, **given: Any
        ) -> Any:
            radio = _radio(adapter, radio)
            device = given.pop("device", None)
            if any(given[name] for name in instead):
                return command(target=Target(None, radio, None, timeout), **given)
            if given.get("arguments") and not nearest:
                device, *rest = given["arguments"]
                given["arguments"] = tuple(rest)
            if nearest == (device is not None):
                raise click.UsageError("name a DEVICE (address or part of its name), or say --nearest: one of the two")
            target = Target(device, radio, find_pin(device, pin), timeout, min(NEAREST, timeout))
            return command(target=target, **given)

        return add_options(with_target, _OPTIONS)

    return decorate


def _radio(adapter: str | None, radio: str | None) -> str:
    if adapter and radio:
        raise click.UsageError("--adapter is for this computer's Bluetooth, --radio names another: one of the two")
    return f"{DEFAULT_RADIO}{adapter}" if adapter else radio or DEFAULT_RADIO
