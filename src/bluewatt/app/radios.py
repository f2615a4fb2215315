"""From a radio string to an open adapter, and to its advertisements as a source.

A radio is "ble:" or "ble:hci1" (this computer's Bluetooth), "virtual:" (emulated devices in this process, PIN 000000),
or a transport string of an adapter whose host we are: "usb:0", "hci-socket:0", "tcp-client:127.0.0.1:7001".
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from bluewatt.errors import ConfigError
from bluewatt.folders import state_folder
from bluewatt.transports.ble.nested_scan import NestedScanSource
from bluewatt.transports.radio_names import KINDS

if TYPE_CHECKING:  # the libraries for Bluetooth are wanted when a radio is opened, not before
    from bluewatt.transports.ble.central import Central
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
    (central,) = import_modules(CENTRAL)
    async with AsyncExitStack() as stack:
        if kind == SYSTEM:
            yield central.Central(text or None)
        elif kind == VIRTUAL:
            yield await _emulated(stack)
        else:
            yield await _hosted(stack, radio, bonds or state_folder() / "bonds.json")


async def _emulated(stack: AsyncExitStack) -> Central:
    emulate, virtual, bleak, central = import_modules("bluewatt.app.emulation", _RADIO, _BLEAK, CENTRAL)
    radio = await stack.enter_async_context(virtual.VirtualRadio())
    plans = [emulate.EmulatedDeviceConfig(family=family, pin=VIRTUAL_PIN) for family in emulate.FAMILIES]
    await stack.enter_async_context(emulate.Emulator(plans, radio=radio, seed=1))
    adapter = await stack.enter_async_context(bleak.VirtualAdapter(radio))
    made: Central = central.Central(virtual=adapter)
    return made


async def _hosted(stack: AsyncExitStack, transport: str, bonds: Path) -> Central:
    bleak, host, central = import_modules(_BLEAK, "bluewatt.transports.virtual.hosted_adapter", CENTRAL)
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


CENTRAL = "bluewatt.transports.ble.central"
"""The module of the central, which needs the libraries for Bluetooth."""
_RADIO, _BLEAK = "bluewatt.transports.virtual.radio", "bluewatt.transports.virtual.bleak_backend"


def import_modules(*names: str) -> list[Any]:
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


def frames_of(central: Central) -> BleSource:
    """The advertisements that a central's adapter hears."""
    backend = central.virtual.scanner if central.virtual else None
    (scan,) = import_modules("bluewatt.transports.ble.scan")
    source: BleSource = scan.BleSource(central.adapter, backend=backend, origin=central.origin)
    return source


class HostedSource(NestedScanSource):
    """The advertisements heard through the radio of a transport string; entering raises what `open_central` raises."""

    def __init__(self, radio: str) -> None:
        super().__init__()
        self.radio = radio

    async def _scanner(self, stack: AsyncExitStack) -> BleSource:
        central = await stack.enter_async_context(open_central(self.radio))
        return await stack.enter_async_context(frames_of(central))
