"""Opens the adapter of a radio string, and its advertisements as a source.

A radio is "ble:" or "ble:hci1" (this computer's Bluetooth), "virtual:" (emulated devices in this process, PIN 000000),
or a transport string of an adapter whose host we are: "usb:0", "hci-socket:0", "tcp-client:127.0.0.1:7001".
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from bluewatt.errors import ConfigError
from bluewatt.extras import VIRTUAL_RADIO, libraries_for
from bluewatt.folders import state_folder
from bluewatt.transports.ble.nested_scan import NestedScanSource
from bluewatt.transports.radio_names import KINDS

if TYPE_CHECKING:  # the libraries for Bluetooth are imported when a radio is opened, not before
    from bluewatt.transports.ble.central import Central
    from bluewatt.transports.ble.scan import BleSource

SYSTEM, VIRTUAL = "ble", "virtual"
VIRTUAL_PIN = "000000"
"""The PIN of the devices of "virtual:"."""


@asynccontextmanager
async def open_central(radio: str = "ble:", *, bonds: Path | None = None) -> AsyncIterator[Central]:
    """Open the adapter of a radio string.

    Raises ConfigError if the string names no radio or its libraries are not installed, AdapterUnavailable if there is
    no such adapter. `bonds` is the file that keeps bonds where the system keeps none: for transports whose host we are.
    """
    kind, _, text = radio.partition(":")
    async with AsyncExitStack() as stack:
        if kind == SYSTEM:
            with radio_libraries():
                from bluewatt.transports.ble.central import Central
            yield Central(text or None)
        elif kind == VIRTUAL:
            yield await _emulated(stack)
        else:
            yield await _hosted(stack, radio, bonds or state_folder() / "bonds.json")


async def _emulated(stack: AsyncExitStack) -> Central:
    with radio_libraries(*VIRTUAL_RADIO):
        from bluewatt.app.emulation import EmulatedDeviceConfig, Emulator
        from bluewatt.services.emulator import FAMILIES
        from bluewatt.transports.ble.central import Central
        from bluewatt.transports.virtual.bleak_backend import VirtualAdapter
        from bluewatt.transports.virtual.radio import VirtualRadio
    radio = await stack.enter_async_context(VirtualRadio())
    plans = [EmulatedDeviceConfig(family=family, pin=VIRTUAL_PIN) for family in FAMILIES]
    await stack.enter_async_context(Emulator(plans, radio=radio, seed=1))
    return Central(virtual=await stack.enter_async_context(VirtualAdapter(radio)))


async def _hosted(stack: AsyncExitStack, transport: str, bonds: Path) -> Central:
    with radio_libraries(*VIRTUAL_RADIO):
        from bluewatt.transports.ble.central import Central
        from bluewatt.transports.hosted_adapter import HostedAdapter
        from bluewatt.transports.virtual.bleak_backend import VirtualAdapter
    if transport.partition(":")[0] not in KINDS:
        hint = f"write ble:, ble:hci1, virtual:, or {', '.join(KINDS)} with what follows the colon"
        raise ConfigError(f"no radio is called {transport!r}", hint=hint)
    _private(bonds)
    adapter = await stack.enter_async_context(HostedAdapter(transport))
    central = Central(virtual=await stack.enter_async_context(VirtualAdapter(adapter, key_store=bonds)))
    central.origin = transport
    stack.callback(_private, bonds)
    return central


def radio_libraries(*extras: str) -> AbstractContextManager[None]:
    """Return the block for imports that need the libraries for Bluetooth; ConfigError says which extra to install."""
    return libraries_for("this radio", *extras)


def _private(bonds: Path) -> None:
    """Make folder and file of the bonds their owner's alone, since bonds are secrets; ConfigError if that fails."""
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
    """Return the source of the advertisements that a central's adapter receives, not open yet."""
    from bluewatt.transports.ble.scan import BleSource  # here: it needs the libraries of an extra

    backend = central.virtual.scanner if central.virtual else None
    return BleSource(central.adapter, backend=backend, origin=central.origin)


class HostedSource(NestedScanSource):
    """The advertisements heard through the radio of a transport string; entering raises what `open_central` raises."""

    def __init__(self, radio: str) -> None:
        super().__init__()
        self.radio = radio

    async def _scanner(self, stack: AsyncExitStack) -> BleSource:
        central = await stack.enter_async_context(open_central(self.radio))
        return await stack.enter_async_context(frames_of(central))
