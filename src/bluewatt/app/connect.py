"""The wiring of links: which radio, which device, whose PIN.

    async with connect("AA:BB:CC:DD:EE:FF", pin="014916") as link:
        voltage = await link.get("battery_voltage")

A radio is "ble:" or "ble:hci1" (this computer's Bluetooth), "virtual:" (emulated devices in this process, PIN 000000),
or a transport string of an adapter whose host we are: "usb:0", "hci-socket:0", "tcp-client:127.0.0.1:7001".
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from bluewatt.config import state_folder
from bluewatt.errors import ConfigError
from bluewatt.transports.ble_central import FIND, NEAREST, Central, Wanted
from bluewatt.transports.ble_link import BleLink
from bluewatt.transports.ble_pairing import Notice, parse_pin
from bluewatt.transports.ble_scan import BleSource

SYSTEM, VIRTUAL = "ble", "virtual"
VIRTUAL_PIN = "000000"
"""The PIN of the devices of "virtual:"."""


@asynccontextmanager
async def open_central(radio: str = "ble:", *, bonds: Path | None = None) -> AsyncIterator[Central]:
    """The adapter of a radio string; ConfigError for a string that names none, AdapterUnavailable where it is missing.

    `bonds` is the file for bonds where the system keeps none: transports whose host we are.
    """
    kind, _, text = radio.partition(":")
    async with AsyncExitStack() as stack:
        if kind == SYSTEM:
            yield Central(text or None)
        elif kind == VIRTUAL:
            yield await _emulated(stack)
        else:
            yield await _hosted(stack, radio, bonds or state_folder() / "bonds.json")


async def _emulated(stack: AsyncExitStack) -> Central:
    emulate, virtual, bleak = _virtual_rooms("bluewatt.app.emulate", _RADIO, _BLEAK)
    radio = await stack.enter_async_context(virtual.VirtualRadio())
    plans = [emulate.Plan(family=family, pin=VIRTUAL_PIN) for family in emulate.FAMILIES]
    await stack.enter_async_context(emulate.Emulator(plans, radio=radio, seed=1))
    adapter = await stack.enter_async_context(bleak.VirtualAdapter(radio))
    return Central(virtual=adapter)


async def _hosted(stack: AsyncExitStack, transport: str, bonds: Path) -> Central:
    bleak, host = _virtual_rooms(_BLEAK, "bluewatt.transports.virtual_host")
    if transport.partition(":")[0] not in host.KINDS:
        hint = f"write ble:, ble:hci1, virtual:, or {', '.join(host.KINDS)} with what follows the colon"
        raise ConfigError(f"no radio is called {transport!r}", hint=hint)
    _private(bonds)
    adapter = await stack.enter_async_context(host.HostedAdapter(transport))
    central = Central(virtual=await stack.enter_async_context(bleak.VirtualAdapter(adapter, key_store=bonds)))
    central.origin = transport
    stack.callback(_private, bonds)
    return central


_RADIO, _BLEAK = "bluewatt.transports.virtual", "bluewatt.transports.virtual_bleak"


def _virtual_rooms(*names: str) -> list[Any]:
    """Modules that need bumble; ConfigError where it is not installed."""
    try:
        return [import_module(name) for name in names]
    except ModuleNotFoundError as missing:
        hint = "run: pip install 'bluewatt[ble,emulator]'"
        raise ConfigError(f"this radio needs the library {missing.name}", hint=hint) from missing


def _private(bonds: Path) -> None:
    """Bonds are secrets: folder and file are their owner's alone."""
    try:
        bonds.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if bonds.exists():
            os.chmod(bonds, 0o600)
    except OSError as error:
        raise ConfigError(f"cannot keep bonds in {bonds}: {error.strerror}", path=str(bonds)) from error


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
    """An open link to a device, by address or part of its name; None is the nearest. Errors as `BleLink` has them.

    `pin` is a text of six digits, wanted once per device: the bond serves afterwards. `central` shares an open adapter.
    """
    typed = parse_pin(pin) if pin is not None else None
    async with AsyncExitStack() as stack:
        if central is None:
            central = await stack.enter_async_context(open_central(radio))
        link = BleLink(central, Wanted.of(device), pin=typed, find=find, nearest=nearest, notice=notice)
        yield await stack.enter_async_context(link)


def frames_of(central: Central) -> BleSource:
    """The advertisements that a central's adapter hears."""
    backend = central.virtual.scanner if central.virtual else None
    return BleSource(central.adapter, backend=backend, origin=central.origin)
