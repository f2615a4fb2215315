"""A real Bluetooth adapter as a radio: simulated devices advertise on it, and this process is its host.

The adapter is named by a bumble transport string ("usb:0", "hci-socket:0", "serial:/dev/ttyACM0"), and no other system
may use it meanwhile. An adapter with extended advertising is several devices at once, one per advertising set, each
with its own address; an older one is a single device.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

from bumble.core import BaseBumbleError
from bumble.device import AdvertisingSet, Device
from bumble.hci import Address

from bluewatt.errors import AdapterUnavailable
from bluewatt.tables.gatt import COMPANY_ID
from bluewatt.transports.advertising import (
    advertising_data,
    scan_response_data,
    start_advertising_set,
    start_legacy_advertising,
)
from bluewatt.transports.background import Background
from bluewatt.transports.hosted_adapter import HostedAdapter
from bluewatt.transports.resource import Resource
from bluewatt.transports.virtual.air import DEFAULT_RSSI

_NO_ADDRESS = "00:00:00:00:00:00"  # each advertiser brings its own


class HardwareAdvertiser:
    """A simulated device on a real adapter; the newest data wins if updates come faster than the adapter takes them."""

    def __init__(self, device: Device, address: str, *, name: str, interval: float, company_id: int) -> None:
        self.address = address
        self.name = name
        self._device = device
        self._interval = interval
        self._company_id = company_id
        self._data: bytes | None = None
        self._changed = asyncio.Event()
        self._set: AdvertisingSet | None = None

    def update(self, manufacturer_data: bytes) -> None:
        """Advertise these bytes from now on; raises Unencodable if they are too long."""
        self._data = advertising_data(manufacturer_data, self._company_id)
        self._changed.set()

    def stop(self) -> None:
        """Stop advertising until the next update."""
        self._data = None
        self._changed.set()

    async def serve(self) -> None:
        """Bring updates to the adapter, for ever; raises AdapterUnavailable if it refuses one. The radio runs it."""
        try:
            while await self._changed.wait():
                self._changed.clear()
                await (self._advertise(self._data) if self._data is not None else self._silence())
        except BaseBumbleError as refused:
            why = f"the adapter no longer advertises as {self.name}: {refused}"
            raise AdapterUnavailable(why, reason="refused") from refused

    async def _advertise(self, data: bytes) -> None:
        response = scan_response_data(self.name)
        if not self._device.supports_le_extended_advertising:
            await start_legacy_advertising(self._device, data, response, interval=self._interval, restart=True)
        elif self._set is None:
            address = Address(self.address, Address.RANDOM_DEVICE_ADDRESS)
            self._set = await start_advertising_set(
                self._device, address, data, interval=self._interval, scan_response=response
            )
        else:
            await self._set.set_advertising_data(data)
            if not self._set.enabled:
                await self._set.start()

    async def _silence(self) -> None:
        if self._set is not None and self._set.enabled:
            await self._set.stop()
        elif self._set is None:
            await self._device.stop_advertising()


class HardwareRadio(Resource):
    """A real adapter on which simulated devices advertise; the same `advertiser()` as the virtual radio has.

    An adapter that refuses an advertisement or goes away interrupts the body of the `async with`: AdapterUnavailable.
    """

    def __init__(self, transport: str) -> None:
        self.transport = transport
        self._advertisers: list[HardwareAdvertiser] = []
        self._device: Device | None = None
        self._tasks = Background()

    async def _open(self, stack: AsyncExitStack) -> None:
        adapter = await stack.enter_async_context(HostedAdapter(self.transport))
        self._device = await adapter.powered_device(_NO_ADDRESS)
        await stack.enter_async_context(self._tasks)

    @property
    def capacity(self) -> int:
        """Number of devices this adapter can be at once."""
        if self._device is None:
            return 0
        sets = self._device.host.number_of_supported_advertising_sets
        return max(1, sets) if self._device.supports_le_extended_advertising else 1

    def advertiser(
        self, address: str, *, name: str, interval: float = 1.0, rssi: int = DEFAULT_RSSI, company_id: int = COMPANY_ID
    ) -> HardwareAdvertiser:
        """Return a new device, silent until its first `update`; `rssi` is ignored, the air is real.

        Raises AdapterUnavailable (reason "full") if the adapter cannot be one more device.
        """
        if self._device is None or len(self._advertisers) >= self.capacity:
            raise AdapterUnavailable(
                f"the adapter {self.transport} can be no further device, at most {self.capacity} at once", reason="full"
            )
        if not self._device.supports_le_extended_advertising:
            self._device.random_address = Address(address, Address.RANDOM_DEVICE_ADDRESS)
        advertiser = HardwareAdvertiser(self._device, address, name=name, interval=interval, company_id=company_id)
        self._advertisers.append(advertiser)
        self._tasks.start(advertiser.serve(), name=f"advertiser {address}")
        return advertiser
