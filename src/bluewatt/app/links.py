"""Opens the link to a device: finds radio, device and PIN.

async with connect("AA:BB:CC:DD:EE:FF", pin="014916") as link:
    voltage = await link.get("battery_voltage")
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Coroutine
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, nullcontext
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from bluewatt.app.lifetime import run_interruptible
from bluewatt.app.radios import open_central, radio_libraries
from bluewatt.exports.terminal.verbosity import notice_over_line, progress_line
from bluewatt.model.pins import parse_pin
from bluewatt.secret import hide_fields
from bluewatt.transports.ble.channel import FIND, NEAREST
from bluewatt.transports.radio_names import DEFAULT_RADIO

if TYPE_CHECKING:
    from bluewatt.config import Settings
    from bluewatt.services.audit import Audit
    from bluewatt.services.commander import Commander
    from bluewatt.transports.ble.central import Central
    from bluewatt.transports.ble.link import BleLink
    from bluewatt.transports.ble.pairing import Notice

_T = TypeVar("_T")


@asynccontextmanager
async def connect(
    device: str | None = None,
    *,
    pin: str | None = None,
    radio: str = "ble:",
    central: Central | None = None,
    find: float = FIND,
    nearest: float = NEAREST,
    notice: Notice | None = None,
) -> AsyncIterator[BleLink]:
    """Open a link to a device, by address or part of its name; None is the nearest. Errors as for `BleLink`.

    The link reads and cannot write. `pin` is a text of six digits, needed once per device: afterwards the bond is used.
    `central` shares an open adapter.
    """
    with radio_libraries():
        from bluewatt.transports.ble.central import DeviceQuery
        from bluewatt.transports.ble.link import BleLink
    pin = parse_pin(pin) if pin is not None else None
    async with (
        _central(radio, central) as opened,
        BleLink(opened, DeviceQuery.of(device), notice=notice, pin=pin, find=find, nearest=nearest) as link,
    ):
        yield link


@asynccontextmanager
async def open_commander(
    device: str | None = None,
    *,
    writable: Callable[[str], Collection[str]],
    audit: Audit,
    pin: str | None = None,
    radio: str = "ble:",
    central: Central | None = None,
    find: float = FIND,
    nearest: float = NEAREST,
    notice: Notice | None = None,
    how_to_allow: Callable[[str], str] | None = None,
) -> AsyncIterator[Commander]:
    """Open a link and the one path that writes over it; the other parameters and the errors are those of `connect`.

    `writable` returns the controls that may be written on the device of an address (`Settings.writable`); `audit` is
    where every write is noted. `how_to_allow` returns what to do so that another control may be written, for people
    who are refused it (`Settings.how_to_allow`).
    """
    with radio_libraries():
        from bluewatt.services.commander import Commander
        from bluewatt.transports.ble.central import DeviceQuery
        from bluewatt.transports.ble.link import BleLink
        from bluewatt.transports.ble.writer import BleWriter
    pin = parse_pin(pin) if pin is not None else None
    writer = BleWriter()  # handed to the commander, and to nobody else
    async with (
        _central(radio, central) as opened,
        BleLink(
            opened, DeviceQuery.of(device), notice=notice, writer=writer, pin=pin, find=find, nearest=nearest
        ) as link,
    ):
        allowed = writable(link.device.address)
        yield Commander(link, writer, allowed=allowed, audit=audit, how_to_allow=how_to_allow)


def _central(radio: str, central: Central | None) -> AbstractAsyncContextManager[Central]:
    """Return the adapter that is open already, which stays open, else the one of a radio string."""
    return open_central(radio) if central is None else nullcontext(central)


class Target(msgspec.Struct, frozen=True):
    """A device to connect to, with its radio and PIN; times are in seconds."""

    device: str | None
    radio: str = DEFAULT_RADIO
    pin: str | None = None
    timeout: float = FIND
    listen: float = NEAREST

    def __post_init__(self) -> None:
        hide_fields(self, "pin")


async def work_on_link(
    target: Target,
    work: Callable[[BleLink, Central], Coroutine[Any, Any, _T]],
    *,
    client_class: type[Any] | None = None,
) -> _T:
    """Open the radio and the link, do the work, close both; what ends the work early is raised.

    `client_class` dials in place of bleak's own, to record what passes.
    """
    async with open_central(target.radio) as central:
        if client_class is not None:
            central.client_class = client_class
        async with open_link(target, central) as link:
            return await work(link, central)


def with_link(
    target: Target,
    work: Callable[[BleLink, Central], Coroutine[Any, Any, _T]],
    *,
    client_class: type[Any] | None = None,
) -> _T:
    """Run `work_on_link` as a command that has an end of its own; a signal before that raises KeyboardInterrupt."""
    return run_interruptible(work_on_link(target, work, client_class=client_class))


def with_commander(
    target: Target, settings: Settings, audit: Audit, work: Callable[[Commander], Coroutine[Any, Any, _T]]
) -> _T:
    """Open the radio, the link and the path that writes, do the work, close all.

    A part of a name that fits several devices is not taken: the nearest may be the wrong one.
    """

    async def main() -> _T:
        async with open_central(target.radio) as central:
            central.one_of_a_name = True
            opening = open_commander(
                target.device, writable=settings.writable, audit=audit, how_to_allow=settings.how_to_allow,
                central=central, **_how(target),
            )  # fmt: skip
            async with _opened(opening) as commander:
                return await work(commander)

    return run_interruptible(main())


def open_link(target: Target, central: Central) -> AbstractAsyncContextManager[BleLink]:
    """Open the link of a target on an open central; the terminal shows meanwhile what is being done."""
    return _opened(connect(target.device, central=central, **_how(target)))


@asynccontextmanager
async def _opened(opening: AbstractAsyncContextManager[_T]) -> AsyncIterator[_T]:
    """Enter a link, with its steps on a line of the terminal until it is open."""
    async with AsyncExitStack() as stack:
        with progress_line():
            opened = await stack.enter_async_context(opening)
        yield opened


def _how(target: Target) -> dict[str, Any]:
    return {"pin": target.pin, "find": target.timeout, "nearest": target.listen, "notice": notice_over_line}
