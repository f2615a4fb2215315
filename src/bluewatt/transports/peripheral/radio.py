"""Where emulated devices are on the air: the virtual radio, with or without other hosts, or a real adapter.

A transport string says which (see `is_host`): on "virtual", "vhci" or "tcp-server:HOST:PORT" there is room for many
devices; a real adapter ("usb:0", "hci-socket:0", "serial:…", "tcp-client:…") is one device at a time.
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from types import TracebackType
from typing import Protocol, Self

from bumble.core import BaseBumbleError
from bumble.device import AdvertisingEventProperties, AdvertisingParameters, AdvertisingSet, Device, DeviceConfiguration
from bumble.hci import Address
from bumble.host import Host

from bluewatt.errors import AdapterUnavailable
from bluewatt.transports.hci_transport import Hci, is_host
from bluewatt.transports.virtual.radio import VirtualRadio, advertising_data

VIRTUAL = "virtual"
_UNCONNECTABLE = AdvertisingEventProperties(is_connectable=False, is_scannable=False, is_legacy=True)


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

    def device(self, address: str, name: str) -> Device:
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

    def device(self, address: str, name: str) -> Device:
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


class AdapterPeripheralRadio:
    """A real adapter, whose host is this process: one device, and its broadcasts where the adapter can do both."""

    real = True

    def __init__(self, transport: str) -> None:
        self.transport = transport
        self._host: Host | None = None
        self._open = AsyncExitStack()

    async def __aenter__(self) -> Self:
        self._host = (await self._open.enter_async_context(Hci(self.transport))).host()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._open.__aexit__(kind, error, trace)

    def device(self, address: str, name: str) -> Device:
        """The one device the adapter can be."""
        if self._host is None:
            raise AdapterUnavailable(f"the adapter {self.transport} can be one device at once", reason="full")
        host, self._host = self._host, None
        config = DeviceConfiguration()
        config.name, config.address = name, Address(address, Address.RANDOM_DEVICE_ADDRESS)
        return Device(config=config, host=host)

    def broadcaster(self, device: Device, interval: float) -> Broadcaster:
        """A second advertising set of the adapter."""
        return _AdapterBroadcaster(device, interval)


class _AdapterBroadcaster:
    def __init__(self, device: Device, interval: float) -> None:
        self._device = device
        self._interval = interval * 1000  # bumble counts milliseconds
        self._set: AdvertisingSet | None = None

    async def send(self, payload: bytes) -> None:
        data = advertising_data(payload)
        try:
            if self._set is not None:
                await self._set.set_advertising_data(data)
            else:
                self._set = await self._create(data)
        except BaseBumbleError as error:
            raise AdapterUnavailable("the adapter cannot broadcast beside a device", reason="full") from error

    async def _create(self, data: bytes) -> AdvertisingSet:
        if not self._device.supports_le_extended_advertising:
            raise AdapterUnavailable("the adapter cannot broadcast beside a device", reason="full")
        return await self._device.create_advertising_set(
            advertising_parameters=AdvertisingParameters(
                advertising_event_properties=_UNCONNECTABLE,
                primary_advertising_interval_min=self._interval,
                primary_advertising_interval_max=self._interval,
            ),
            random_address=self._device.random_address,
            advertising_data=data,
        )
