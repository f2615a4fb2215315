"""What the commands that connect share: their options, the PIN, and one run of a coroutine with a link."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any, TypeVar

import click
import msgspec

from bluewatt.app.connect import connect, open_central, open_commander
from bluewatt.cli.live import quiet_libraries
from bluewatt.cli.options import POSITIVE, SECRET
from bluewatt.cli.signals import until_asked
from bluewatt.secret import hide_fields
from bluewatt.services.pins import PIN, find_pin
from bluewatt.transports.ble.channel import FIND, NEAREST
from bluewatt.transports.radio_names import DEFAULT_RADIO
from bluewatt.wire.printable import printable

if TYPE_CHECKING:
    from bluewatt.config import Settings
    from bluewatt.services.audit import Audit
    from bluewatt.services.commander import Commander
    from bluewatt.transports.ble.central import Central
    from bluewatt.transports.ble.link import BleLink


Command = TypeVar("Command", bound=Callable[..., Any])
_T = TypeVar("_T")


class Target(msgspec.Struct, frozen=True):
    """Which device, over which radio, with whose PIN."""

    device: str | None
    radio: str = DEFAULT_RADIO
    pin: str | None = None
    timeout: float = FIND
    listen: float = NEAREST

    def __post_init__(self) -> None:
        hide_fields(self, "pin")


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


def notice(sentence: str) -> None:
    """Tell the user something that is not output."""
    click.echo(f"bluewatt: {printable(sentence)}", err=True)


def with_link(
    target: Target,
    work: Callable[[BleLink, Central], Coroutine[Any, Any, _T]],
    *,
    client_class: type[Any] | None = None,
) -> _T:
    """Open the radio and the link, do the work, close both; what ends the work early is raised.

    `client_class` dials in place of bleak's own, to record what passes.
    """

    async def main() -> _T:
        async with open_central(target.radio) as central:
            if client_class is not None:
                central.client_class = client_class
            async with open_link(target, central) as link:
                return await work(link, central)

    return quiet_run(main())


def with_commander(
    target: Target, settings: Settings, audit: Audit, work: Callable[[Commander], Coroutine[Any, Any, _T]]
) -> _T:
    """Open the radio, the link and the path that writes, do the work, close all.

    A part of a name that fits several devices is not taken: the nearest may be the wrong one.
    """

    async def main() -> _T:
        async with open_central(target.radio) as central:
            central.one_of_a_name = True
            async with open_commander(
                target.device, writable=settings.writable, audit=audit, central=central, **_how(target)
            ) as commander:
                return await work(commander)

    return quiet_run(main())


def open_link(target: Target, central: Central) -> AbstractAsyncContextManager[BleLink]:
    """The link of a target on an open central."""
    return connect(target.device, central=central, **_how(target))


def _how(target: Target) -> dict[str, Any]:
    return {"pin": target.pin, "find": target.timeout, "nearest": target.listen, "notice": notice}


def quiet_run(main: Coroutine[Any, Any, _T]) -> _T:
    """Run a coroutine with what libraries log kept off the screen.

    Ctrl-C and SIGTERM close the link, which the Bluetooth system would keep open otherwise; they end in
    KeyboardInterrupt.
    """
    quiet_libraries()
    return asyncio.run(_interruptible(main))


async def _interruptible(main: Coroutine[Any, Any, _T]) -> _T:
    try:
        return await until_asked(main)
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None
