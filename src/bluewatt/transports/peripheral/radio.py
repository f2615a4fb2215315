"""The radio of emulated devices: the virtual radio, with or without other hosts, or a real adapter.

A transport string says which (see `is_host`): on "virtual", "vhci" or "tcp-server:HOST:PORT" many devices can
be at once; a real adapter ("usb:0", "hci-socket:0", "serial:…", "tcp-client:…") is one device at a time.
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
from bluewatt.transports.resource import Resource
from bluewatt.transports.virtual.radio import VirtualRadio

VIRTUAL = "virtual"
"""The transport string of a virtual radio that nobody outside this process hears."""


class Broadcaster(Protocol):
    """A sender of advertisements that nobody can connect to, beside those of the device."""

    async def send(self, payload: bytes) -> None:
        """Advertise this manufacturer data from now on."""


class PeripheralRadio(Protocol):
    """A radio on which devices can be."""

    real: bool
    """Whether other people's devices can hear it."""

    async def __aenter__(self) -> Self:
        """Open the radio; raises AdapterUnavailable with what to do."""
        ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Silence everything on it."""

    def device(self, address: str, *, name: str) -> Device:
        """Return the radio of one more device; raises AdapterUnavailable (reason "full") if there can be no more."""
        ...

    def broadcaster(self, device: Device, interval: float) -> Broadcaster:
        """Return a sender under the address of a device, every `interval` seconds."""
        ...


def open_peripheral_radio(transport: str, *, radio: VirtualRadio | None = None) -> PeripheralRadio:
    """Return the radio a transport string names; `radio` is a virtual radio somebody else opened."""
    if transport == VIRTUAL or is_host(transport):
        return VirtualPeripheralRadio(radio, None if transport == VIRTUAL else transport)
    return AdapterPeripheralRadio(transport)


class VirtualPeripheralRadio(Resource):
    """The virtual radio; a host that attaches receives it as if it had an adapter."""

    def __init__(self, radio: VirtualRadio | None = None, transport: str | None = None) -> None:
        self.radio = radio or VirtualRadio()
        self.real = transport == "vhci"
        self._own = radio is None
        self._transport = transport

    async def _open(self, stack: AsyncExitStack) -> None:
        if self._own:
            await stack.enter_async_context(self.radio)
        if self._transport:
            await self.radio.attach(self._transport)

    def device(self, address: str, *, name: str) -> Device:
        """Return the radio of one more device; there is no limit."""
        return self.radio.device(address, name=name)

    def broadcaster(self, device: Device, interval: float) -> Broadcaster:
        """Return a light advertiser beside the device."""
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
        """Return a second advertising set of the adapter."""
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
