"""Where emulated devices are on the air: the virtual radio, with or without other hosts, or a real adapter.

A transport string says which (see `is_host`): on "virtual", "vhci" or "tcp-server:HOST:PORT" there is room for many
devices; a real adapter ("usb:0", "hci-socket:0", "serial:…", "tcp-client:…") is one device at a time.
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from types import TracebackType
from typing import Protocol, Self

from bumble.core import BaseBumbleError
from bumble.device import AdvertisingSet, Device

from bluewatt.errors import AdapterUnavailable
from bluewatt.transports.advertising import BROADCAST, advertising_data, start_advertising_set
from bluewatt.transports.hci_transport import is_host
from bluewatt.transports.hosted_adapter import HostedAdapter
from bluewatt.transports.virtual.radio import VirtualRadio

VIRTUAL = "virtual"
"""The transport string of a virtual radio that nobody outside this process hears."""


class Broadcaster(Protocol):
    """Sends advertisements that nobody can connect to, beside those of the device."""

    async def send(self, payload: bytes) -> None:
        """Advertise this manufacturer data from now on."""


class PeripheralRadio(Protocol):
    """A place where devices can be."""

    real: bool
    """Whether other people's devices can hear it."""

    async def __aenter__(self) -> Self:
        """Open it; AdapterUnavailable with what to do."""
        ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Everything there falls silent."""

    def device(self, address: str, *, name: str) -> Device:
        """A radio for one more device; AdapterUnavailable (reason "full") where there is no more room."""
        ...

    def broadcaster(self, device: Device, interval: float) -> Broadcaster:
        """Broadcasts under the address of a device, every `interval` seconds."""
        ...


def open_air(transport: str, *, radio: VirtualRadio | None = None) -> PeripheralRadio:
    """The place a transport string names; `radio` is a virtual radio somebody else opened."""
    if transport == VIRTUAL or is_host(transport):
        return VirtualPeripheralRadio(radio, None if transport == VIRTUAL else transport)
    return AdapterPeripheralRadio(transport)


class VirtualPeripheralRadio:
    """The virtual radio; a host that attaches hears it as if it had an adapter."""

    def __init__(self, radio: VirtualRadio | None = None, transport: str | None = None) -> None:
        self.radio = radio or VirtualRadio()
        self.real = transport == "vhci"
        self._own = radio is None
        self._transport = transport
        self._open = AsyncExitStack()

    async def __aenter__(self) -> Self:
        if self._own:
            await self._open.enter_async_context(self.radio)
        if self._transport:
            try:
                await self.radio.attach(self._transport)
            except BaseException:
                await self._open.aclose()
                raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._open.__aexit__(kind, error, trace)

    def device(self, address: str, *, name: str) -> Device:
        """Any number of them."""
        return self.radio.device(address, name=name)

    def broadcaster(self, device: Device, interval: float) -> Broadcaster:
        """A light advertiser beside the device."""
        return _VirtualBroadcaster(self.radio, device, interval)


class _VirtualBroadcaster:
    def __init__(self, radio: VirtualRadio, device: Device, interval: float) -> None:
        self._advertiser = radio.advertiser(device.random_address.to_string(False), name="", interval=interval)

    async def send(self, payload: bytes) -> None:
        self._advertiser.update(payload)


class AdapterPeripheralRadio(HostedAdapter):
    """A real adapter, whose host is this process: one device, and its broadcasts where the adapter can do both."""

    real = True

    def broadcaster(self, device: Device, interval: float) -> Broadcaster:
        """A second advertising set of the adapter."""
        return _AdapterBroadcaster(device, interval)


class _AdapterBroadcaster:
    def __init__(self, device: Device, interval: float) -> None:
        self._device = device
        self._interval = interval
        self._set: AdvertisingSet | None = None

    async def send(self, payload: bytes) -> None:
        data, device = advertising_data(payload), self._device
        try:
            if self._set is not None:
                await self._set.set_advertising_data(data)
            elif device.supports_le_extended_advertising:
                self._set = await start_advertising_set(
                    device, device.random_address, data, interval=self._interval, properties=BROADCAST
                )
            else:
                raise AdapterUnavailable(_CANNOT_BROADCAST, reason="full")
        except BaseBumbleError as error:
            raise AdapterUnavailable(_CANNOT_BROADCAST, reason="full") from error


_CANNOT_BROADCAST = "the adapter cannot broadcast beside a device"
