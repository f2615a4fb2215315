"""Radios by name, and the scanner of the virtual one.

`open_radio("virtual")` is a radio of this process only; "vhci" the same, heard by this computer's own Bluetooth system
too; "usb:0" the real air. On all of them `radio.advertiser(...)` makes a simulated device.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from bluewatt.errors import ConfigError
from bluewatt.transports.ble_scan import BleSource, Mode
from bluewatt.transports.virtual import Radio, VirtualRadio
from bluewatt.transports.virtual_bleak import VirtualAdapter
from bluewatt.transports.virtual_hardware import HardwareRadio


@asynccontextmanager
async def _virtual(transport: str, seed: int | None) -> AsyncIterator[Radio]:
    async with VirtualRadio(seed=seed) as radio:
        yield radio


@asynccontextmanager
async def _served(transport: str, seed: int | None) -> AsyncIterator[Radio]:
    async with VirtualRadio(seed=seed) as radio:
        await radio.attach(transport)
        yield radio


@asynccontextmanager
async def _hardware(transport: str, seed: int | None) -> AsyncIterator[Radio]:
    async with HardwareRadio(transport) as radio:
        yield radio


RADIOS: dict[str, Callable[[str, int | None], AbstractAsyncContextManager[Radio]]] = {
    "virtual": _virtual,
    # Somebody else's Bluetooth system is the host of one more virtual adapter.
    "vhci": _served,
    "tcp-server": _served,
    "ws-server": _served,
    "unix-server": _served,
    "pty": _served,
    "udp": _served,
    # We are the host of an adapter.
    "usb": _hardware,
    "pyusb": _hardware,
    "hci-socket": _hardware,
    "serial": _hardware,
    "tcp-client": _hardware,
    "ws-client": _hardware,
    "unix-client": _hardware,
}
"""How each kind of transport string (the part before the colon) becomes a radio."""


def open_radio(transport: str, *, seed: int | None = None) -> AbstractAsyncContextManager[Radio]:
    """The radio of a transport string; entering it raises AdapterUnavailable where it cannot be opened.

    `seed` makes the chance of a virtual radio repeatable. Raises ConfigError for a string of no known kind.
    """
    kind = transport.partition(":")[0]
    if kind not in RADIOS:
        raise ConfigError(f"no radio is called {kind!r}", hint=f"one of: {', '.join(RADIOS)}")
    return RADIOS[kind](transport, seed)


@asynccontextmanager
async def virtual_source(
    radio: VirtualRadio, *, origin: str = "virtual:", mode: Mode | None = None
) -> AsyncIterator[BleSource]:
    """The source `ble:` with an adapter of its own on the virtual radio."""
    async with VirtualAdapter(radio) as adapter, BleSource(backend=adapter.scanner, origin=origin, mode=mode) as source:
        yield source
