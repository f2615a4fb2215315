"""The virtual Bluetooth radio: devices that advertise and adapters that hear them, without hardware.

Everything on one `VirtualRadio` is within radio range. `advertiser()` adds a device, a `VirtualAdapter`
(`bleak_backend.py`) an adapter for this process, `attach()` an adapter for another one: with "vhci" the computer's own
Bluetooth system hears the virtual devices. `hardware_radio.py` puts the same devices on a real adapter.
"""

from __future__ import annotations

import asyncio
import random
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Protocol, Self

from bumble.device import Device
from bumble.hci import Address
from bumble.host import Host
from bumble.transport.common import AsyncPipeSink

from bluewatt.tables.gatt import COMPANY_ID
from bluewatt.transports.advertising import advertising_data, scan_response_data
from bluewatt.transports.hci_transport import Hci
from bluewatt.transports.hosted_adapter import make_device
from bluewatt.transports.virtual.air import DEFAULT_RSSI, RadioMedium, VirtualController

_ADVERTISING_DELAY = 0.010  # Core 5.4 vol 6 part B 4.4.2.2: every interval grows by a random 0-10 ms


class Advertiser(Protocol):
    """A device that advertises, on whichever radio."""

    address: str
    name: str

    def update(self, manufacturer_data: bytes) -> None:
        """Advertise these bytes (after the company identifier) from now on."""

    def stop(self) -> None:
        """Stop advertising until the next update, as a device does while a central is connected."""


class Radio(Protocol):
    """A radio on which devices can advertise: the virtual radio or a real adapter."""

    def advertiser(
        self, address: str, *, name: str, interval: float = 1.0, rssi: int = DEFAULT_RSSI, company_id: int = COMPANY_ID
    ) -> Advertiser:
        """Return a new device, silent until its first `update`. `interval` in seconds, `rssi` in dBm."""


class VirtualAdvertiser:
    """A device on the virtual radio that advertises and takes no connections: a timer, not a whole Bluetooth host."""

    def __init__(
        self,
        air: RadioMedium,
        address: str,
        *,
        name: str,
        interval: float,
        rssi: int,
        company_id: int,
        jitter: random.Random,
    ) -> None:
        self.address = address
        self.interval = interval
        self._air = air
        self._from = Address(address, Address.RANDOM_DEVICE_ADDRESS)
        self._company_id = company_id
        self._jitter = jitter
        self._data = b""
        self._timer: asyncio.TimerHandle | None = None
        self.name = name
        self.rssi = rssi

    @property
    def name(self) -> str:
        """The local name in the scan response."""
        return self._name

    @name.setter
    def name(self, name: str) -> None:
        self._name = name
        self._scan_response = scan_response_data(name)

    @property
    def rssi(self) -> int:
        """Signal strength at the receivers, dBm."""
        return self._air.rssi[self._from]

    @rssi.setter
    def rssi(self, rssi: int) -> None:
        self._air.rssi[self._from] = rssi

    def update(self, manufacturer_data: bytes) -> None:
        """Advertise these bytes now and then at every interval; raises Unencodable if they are too long."""
        self._data = advertising_data(manufacturer_data, self._company_id)
        self.stop()
        self._send()

    def stop(self) -> None:
        """Stop advertising until the next update."""
        if self._timer:
            self._timer.cancel()
            self._timer = None

    def _send(self) -> None:
        self._air.advertise(self._from, self._data, self._scan_response)
        pause = self.interval + self._jitter.uniform(0, _ADVERTISING_DELAY)
        self._timer = asyncio.get_running_loop().call_later(pause, self._send)


class VirtualRadio:
    """A virtual radio; `loss` (0 to 1) of the advertisements are lost, the same ones for the same `seed`."""

    def __init__(self, *, loss: float = 0.0, seed: int | None = None) -> None:
        self.air = RadioMedium(loss=loss, seed=seed)
        self._jitter = random.Random(seed)
        self._advertisers: list[VirtualAdvertiser] = []
        self._open = AsyncExitStack()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for advertiser in self._advertisers:
            advertiser.stop()
        await self._open.__aexit__(kind, error, trace)

    def advertiser(
        self, address: str, *, name: str, interval: float = 1.0, rssi: int = DEFAULT_RSSI, company_id: int = COMPANY_ID
    ) -> VirtualAdvertiser:
        """Return a new device with a random static `address`, silent until its first `update`."""
        advertiser = VirtualAdvertiser(
            self.air, address, name=name, interval=interval, rssi=rssi, company_id=company_id, jitter=self._jitter
        )
        self._advertisers.append(advertiser)
        return advertiser

    def device(self, address: str, *, name: str = "bluewatt", rssi: int = DEFAULT_RSSI) -> Device:
        """Return a whole bumble device with a controller of its own on this radio, not powered on yet.

        It can be an adapter that scans and connects, or a peripheral with services. It is switched off with the radio.
        """
        public = f"00:00:00:{len(self.air.controllers):06X}"
        controller = self._controller(name, f"{public[:11]}:{public[11:13]}:{public[13:]}")
        device = make_device(Host(controller, AsyncPipeSink(controller)), address, name)
        self.air.rssi[device.random_address] = rssi
        self._open.push_async_callback(device.power_off)
        return device

    def _controller(self, name: str, public_address: str) -> VirtualController:
        controller = VirtualController(name, link=self.air, public_address=public_address)
        self._open.callback(self.air.remove_controller, controller)
        return controller

    async def attach(self, transport: str) -> None:
        """Serve one more virtual controller on a transport of bumble; its host then hears this radio.

        "vhci" hands it to this computer's Bluetooth system (Linux, root), "tcp-server:127.0.0.1:7001" to the
        program that connects. Raises AdapterUnavailable if the transport cannot be opened.
        """
        opened = (await self._open.enter_async_context(Hci(transport))).opened
        controller = VirtualController(
            transport, host_source=opened.source, host_sink=opened.sink, link=self.air, public_address=SERVED_ADDRESS
        )
        self._open.callback(self.air.remove_controller, controller)


SERVED_ADDRESS = "00:00:02:00:00:01"
"""Public address of the adapter that another host sees through `VirtualRadio.attach`."""
