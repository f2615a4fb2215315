"""bleak on the virtual radio: backends for BleakScanner and BleakClient over a bumble device.

    async with VirtualRadio() as radio, VirtualAdapter(radio) as adapter:
        async with BleakScanner(callback, backend=adapter.scanner): ...
        async with BleakClient(device, backend=adapter.client) as client: ...

So the program that drives a real adapter also runs against simulated devices. An adapter keeps its bonds in `key_store`
and types `pin` when a device asks for a passkey.
"""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from bleak.backends.scanner import BaseBleakScanner
from bumble.core import BaseBumbleError
from bumble.device import Connection, Device
from bumble.pairing import PairingConfig, PairingDelegate

from bluewatt.errors import AdapterUnavailable
from bluewatt.transports.virtual.bleak_client import VirtualClient
from bluewatt.transports.virtual.bleak_scanner import VirtualScanner
from bluewatt.transports.virtual.bonds import Bonds, Passkey

ADAPTER_ADDRESS = "F0:00:00:00:00:01"
"""Random static address of the virtual adapter, where the caller does not choose one."""


class DeviceSource(Protocol):
    """The origin of an adapter's device: a virtual radio, or a controller whose host is this process."""

    def device(self, address: str, *, name: str = ...) -> Device:
        """Return a whole bumble device, not powered on yet."""
        ...


class VirtualAdapter:
    """A powered-on adapter on the virtual radio; `scanner` and `client` are its bleak backends."""

    def __init__(
        self,
        radio: DeviceSource,
        *,
        address: str = ADAPTER_ADDRESS,
        pin: str | None = None,
        key_store: Path | None = None,
    ) -> None:
        self.pin = pin
        """Passkey of six digits typed when a device asks for it; None refuses to pair."""
        self.device = radio.device(address, name=f"adapter {address}")
        self.device.pairing_config_factory = self._pairing_config
        self.scanner = type("VirtualScanner", (VirtualScanner,), {"adapter": self})
        self.client = type("VirtualClient", (VirtualClient,), {"adapter": self})
        self._key_store = key_store
        self.scans: dict[BaseBleakScanner, bool] = {}
        """The scanners that run, each with whether it is active."""
        self._scanning = asyncio.Lock()
        self.connecting = asyncio.Lock()
        """One connection is set up at a time, as on a real adapter."""

    async def __aenter__(self) -> Self:
        try:
            await self.device.power_on()
        except (BaseBumbleError, TimeoutError) as error:
            raise AdapterUnavailable("the Bluetooth adapter does not answer", reason="missing") from error
        if self._key_store:
            self.device.keystore = Bonds(None, str(self._key_store))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for connection in list(self.device.connections.values()):
            with contextlib.suppress(BaseBumbleError):
                await connection.disconnect()
        with contextlib.suppress(BaseBumbleError):  # a controller in another process may be gone
            if self.device.scanning:
                await self.device.stop_scanning()
            await self.device.power_off()

    async def scan(self) -> None:
        """Begin, change or end the scan as the scanners that run need it: active if one of them is active."""
        async with self._scanning:
            device, active = self.device, any(self.scans.values())
            if device.scanning and (not self.scans or device.scanning_is_passive == active):
                await device.stop_scanning()
            if self.scans and not device.scanning:
                await device.start_scanning(active=active, filter_duplicates=False)

    def _pairing_config(self, connection: Connection) -> PairingConfig:
        # The random identity files the bond under the address the adapter reconnects with.
        return PairingConfig(
            sc=True,
            mitm=True,
            bonding=True,
            identity_address_type=PairingConfig.AddressType.RANDOM,
            delegate=_Keyboard(self.pin),
        )


class _Keyboard(PairingDelegate):
    """The central's side of passkey entry: types the PIN."""

    def __init__(self, pin: str | None) -> None:
        super().__init__(PairingDelegate.IoCapability.KEYBOARD_INPUT_ONLY)
        self._pin = pin

    async def get_number(self) -> int | None:
        """Return the passkey, None to refuse."""
        return None if self._pin is None else Passkey(self._pin)
