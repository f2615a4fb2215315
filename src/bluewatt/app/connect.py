"""The wiring of links: which radio, which device, whose PIN.

    async with connect("AA:BB:CC:DD:EE:FF", pin="014916") as link:
        voltage = await link.get("battery_voltage")

A radio is "ble:" or "ble:hci1" (this computer's Bluetooth), "virtual:" (emulated devices in this process, PIN 000000),
or a transport string of an adapter whose host we are: "usb:0", "hci-socket:0", "tcp-client:127.0.0.1:7001".
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, nullcontext
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from bluewatt.errors import ConfigError
from bluewatt.folders import state_folder
from bluewatt.model.pins import parse_pin
from bluewatt.transports.ble.channel import FIND, NEAREST
from bluewatt.transports.radio_names import KINDS

if TYPE_CHECKING:  # the libraries for Bluetooth are wanted when a radio is opened, not before
    from bluewatt.services.audit import Audit
    from bluewatt.services.commander import Commander
    from bluewatt.transports.ble.central import Central
    from bluewatt.transports.ble.link import BleLink
    from bluewatt.transports.ble.pairing import Notice
    from bluewatt.transports.ble.scan import BleSource

SYSTEM, VIRTUAL = "ble", "virtual"
VIRTUAL_PIN = "000000"
"""The PIN of the devices of "virtual:"."""


@asynccontextmanager
async def open_central(radio: str = "ble:", *, bonds: Path | None = None) -> AsyncIterator[Central]:
    """The adapter of a radio string; ConfigError for a string that names none, AdapterUnavailable where it is missing.

    `bonds` is the file for bonds where the system keeps none: transports whose host we are.
    """
    kind, _, text = radio.partition(":")
    (central,) = _rooms(_CENTRAL)
    async with AsyncExitStack() as stack:
        if kind == SYSTEM:
            yield central.Central(text or None)
        elif kind == VIRTUAL:
            yield await _emulated(stack)
        else:
            yield await _hosted(stack, radio, bonds or state_folder() / "bonds.json")


async def _emulated(stack: AsyncExitStack) -> Central:
    emulate, virtual, bleak, central = _rooms("bluewatt.app.emulate", _RADIO, _BLEAK, _CENTRAL)
    radio = await stack.enter_async_context(virtual.VirtualRadio())
    plans = [emulate.Plan(family=family, pin=VIRTUAL_PIN) for family in emulate.FAMILIES]
    await stack.enter_async_context(emulate.Emulator(plans, radio=radio, seed=1))
    adapter = await stack.enter_async_context(bleak.VirtualAdapter(radio))
    made: Central = central.Central(virtual=adapter)
    return made


async def _hosted(stack: AsyncExitStack, transport: str, bonds: Path) -> Central:
    bleak, host, central = _rooms(_BLEAK, "bluewatt.transports.virtual.hosted_adapter", _CENTRAL)
    if transport.partition(":")[0] not in KINDS:
        hint = f"write ble:, ble:hci1, virtual:, or {', '.join(KINDS)} with what follows the colon"
        raise ConfigError(f"no radio is called {transport!r}", hint=hint)
    _private(bonds)
    adapter = await stack.enter_async_context(host.HostedAdapter(transport))
    virtual = await stack.enter_async_context(bleak.VirtualAdapter(adapter, key_store=bonds))
    made: Central = central.Central(virtual=virtual)
    made.origin = transport
    stack.callback(_private, bonds)
    return made


_CENTRAL, _LINK = "bluewatt.transports.ble.central", "bluewatt.transports.ble.link"
_WRITER = "bluewatt.transports.ble.writer"
_RADIO, _BLEAK = "bluewatt.transports.virtual.radio", "bluewatt.transports.virtual.bleak_backend"


def _rooms(*names: str) -> list[Any]:
    """Modules that need the libraries for Bluetooth; ConfigError where those are not installed."""
    try:
        return [import_module(name) for name in names]
    except ModuleNotFoundError as missing:
        extras = "ble,emulator" if missing.name == "bumble" else "ble"
        raise ConfigError(
            f"this radio needs the library {missing.name}", hint=f"run: pip install 'bluewatt[{extras}]'"
        ) from missing


def _private(bonds: Path) -> None:
    """Bonds are secrets: folder and file are their owner's alone."""
    try:
        bonds.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if bonds.exists():
            os.chmod(bonds, 0o600)
            msgspec.json.decode(bonds.read_bytes(), type=dict[str, dict[str, Any]])
    except OSError as error:
        raise ConfigError(f"cannot keep bonds in {bonds}: {error.strerror}", path=str(bonds)) from error
    except msgspec.DecodeError as error:
        hint = "move it away, and pair again with --pin"
        raise ConfigError(f"the file of bonds {bonds} is damaged", path=str(bonds), hint=hint) from error


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
    """Open a link to a device, by address or part of its name; None is the nearest. Errors as `BleLink` has them.

    The link reads and cannot write. `pin` is a text of six digits, wanted once per device: the bond serves afterwards.
    `central` shares an open adapter.
    """
    link, dialled = _rooms(_LINK, _CENTRAL)
    wanted, options = dialled.Wanted.of(device), {"pin": _typed(pin), "find": find, "nearest": nearest}
    async with _central(radio, central) as opened, link.BleLink(opened, wanted, notice=notice, **options) as made:
        yield made


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
) -> AsyncIterator[Commander]:
    """Open a link and the one path that writes over it; the other parameters and the errors are those of `connect`.

    `writable` returns the controls that may be written on the device of an address (`Settings.writable`); `audit` is
    where every write is noted.
    """
    link, dialled, writing, services = _rooms(_LINK, _CENTRAL, _WRITER, "bluewatt.services.commander")
    wanted, options = dialled.Wanted.of(device), {"pin": _typed(pin), "find": find, "nearest": nearest}
    writer = writing.BleWriter()  # handed to the commander, and to nobody else
    async with (
        _central(radio, central) as opened,
        link.BleLink(opened, wanted, notice=notice, writer=writer, **options) as made,
    ):
        yield services.Commander(made, writer, allowed=writable(made.device.address), audit=audit)


def _typed(pin: str | None) -> str | None:
    return parse_pin(pin) if pin is not None else None


def _central(radio: str, central: Central | None) -> AbstractAsyncContextManager[Central]:
    """The adapter that is open already, which stays open, else the one of a radio string."""
    return open_central(radio) if central is None else nullcontext(central)


def frames_of(central: Central) -> BleSource:
    """The advertisements that a central's adapter hears."""
    backend = central.virtual.scanner if central.virtual else None
    (scan,) = _rooms("bluewatt.transports.ble.scan")
    source: BleSource = scan.BleSource(central.adapter, backend=backend, origin=central.origin)
    return source
