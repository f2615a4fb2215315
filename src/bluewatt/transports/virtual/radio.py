"""The virtual Bluetooth radio: devices that advertise and adapters that hear them, without hardware.

One `VirtualRadio` is one place within radio range. `advertiser()` puts a device there, a `VirtualAdapter` of
`virtual_bleak` a Bluetooth adapter for this process, `attach()` an adapter for another one: with "vhci" the computer's
own Bluetooth system hears the virtual devices. `virtual_hardware` puts the same devices on a real adapter.
"""

from __future__ import annotations

import asyncio
import random
import uuid as uuid_lib
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Protocol, Self

from bumble.core import UUID, AdvertisingData
from bumble.device import Device, DeviceConfiguration
from bumble.hci import Address
from bumble.host import Host
from bumble.transport.common import AsyncPipeSink

from bluewatt.errors import Unencodable
from bluewatt.tables.gatt import COMPANY_ID
from bluewatt.transports.hci_transport import Hci
from bluewatt.transports.virtual.air import DEFAULT_RSSI, RadioMedium, VirtualController

LONGEST_MANUFACTURER_DATA = 24
"""Bytes after the company identifier that fit a legacy advertisement beside its flags (31 - 3 - 2 - 2)."""

_FLAGS = b"\x06"  # general discoverable, no BR/EDR
_ADVERTISING_DELAY = 0.010  # Core 5.4 vol 6 part B 4.4.2.2: every interval grows by a random 0-10 ms


def advertising_data(manufacturer_data: bytes, company_id: int = COMPANY_ID) -> bytes:
    """Flags and manufacturer data as a Victron device packs them; raises Unencodable when they do not fit."""
    if len(manufacturer_data) > LONGEST_MANUFACTURER_DATA:
        raise Unencodable(
            f"{len(manufacturer_data)} bytes of manufacturer data do not fit an advertisement"
            f" (at most {LONGEST_MANUFACTURER_DATA})"
        )
    company = company_id.to_bytes(2, "little")
    kind = AdvertisingData.Type
    return bytes(
        AdvertisingData([(kind.FLAGS, _FLAGS), (kind.MANUFACTURER_SPECIFIC_DATA, company + manufacturer_data)])
    )


def scan_response_data(name: str) -> bytes:
    """The complete local name as a scan response, cut at the 29 bytes that fit."""
    text = name.encode()[:29].decode(errors="ignore").encode()
    return bytes(AdvertisingData([(AdvertisingData.Type.COMPLETE_LOCAL_NAME, text)])) if text else b""


def text_of_uuid(uuid: UUID) -> str:
    """The 128 bits of any UUID as lower-case text, as bleak and the tables write them; bumble shortens its own."""
    return str(uuid_lib.UUID(bytes=uuid.to_bytes(force_128=True)[::-1]))


class Advertiser(Protocol):
    """A device that advertises, on whichever radio."""

    address: str
    name: str

    def update(self, manufacturer_data: bytes) -> None:
        """Advertise these bytes (after the company identifier) from now on."""

    def stop(self) -> None:
        """Fall silent until the next update, as a device does while a central is connected."""


class Radio(Protocol):
    """Where devices can advertise: the virtual radio or a real adapter."""

    def advertiser(
        self, address: str, *, name: str, interval: float = 1.0, rssi: int = DEFAULT_RSSI, company_id: int = COMPANY_ID
    ) -> Advertiser:
        """A new device; it is silent until its first `update`. `interval` in seconds, `rssi` in dBm."""


class VirtualAdvertiser:
    """A device on the virtual radio that advertises and takes no connections; it costs a timer, not a whole host."""

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
        """Advertise these bytes now and then at every interval; raises Unencodable when they are too long."""
        self._data = advertising_data(manufacturer_data, self._company_id)
        self.stop()
        self._send()

    def stop(self) -> None:
        """Fall silent until the next update."""
        if self._timer:
            self._timer.cancel()
            self._timer = None

    def _send(self) -> None:
        self._air.advertise(self._from, self._data, self._scan_response)
        pause = self.interval + self._jitter.uniform(0, _ADVERTISING_DELAY)
        self._timer = asyncio.get_running_loop().call_later(pause, self._send)


class VirtualRadio:
    """A place within radio range; `loss` (0 to 1) of the advertisements get lost, the same ones for the same `seed`."""

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
        """A new device with a random static `address`; it is silent until its first `update`."""
        advertiser = VirtualAdvertiser(
            self.air, address, name=name, interval=interval, rssi=rssi, company_id=company_id, jitter=self._jitter
        )
        self._advertisers.append(advertiser)
        return advertiser

    def device(self, address: str, *, name: str = "bluewatt", rssi: int = DEFAULT_RSSI) -> Device:
        """A whole bumble device with a controller of its own on this radio, not powered on yet.

        An adapter that scans and connects, or a peripheral with services. It leaves the air with the radio.
        """
        public = f"00:00:00:{len(self.air.controllers):06X}"
        controller = self._controller(name, f"{public[:11]}:{public[11:13]}:{public[13:]}")
        config = DeviceConfiguration()
        config.name, config.address = name, Address(address, Address.RANDOM_DEVICE_ADDRESS)
        self.air.rssi[config.address] = rssi
        device = Device(config=config, host=Host(controller, AsyncPipeSink(controller)))
        self._open.push_async_callback(device.power_off)
        return device

    def _controller(self, name: str, public_address: str) -> VirtualController:
        controller = VirtualController(name, link=self.air, public_address=public_address)
        self._open.callback(self.air.remove_controller, controller)
        return controller

    async def attach(self, transport: str) -> None:
        """Serve one more virtual controller on a bumble transport; whoever is its host then hears this radio.

        "vhci" hands it to this computer's Bluetooth system (Linux, root), "tcp-server:127.0.0.1:7001" to who connects.
        Raises AdapterUnavailable where the transport cannot be opened.
        """
        opened = (await self._open.enter_async_context(Hci(transport))).opened
        controller = VirtualController(
            transport, host_source=opened.source, host_sink=opened.sink, link=self.air, public_address=SERVED_ADDRESS
        )
        self._open.callback(self.air.remove_controller, controller)


SERVED_ADDRESS = "00:00:02:00:00:01"
"""Public address of the adapter that another host sees through `VirtualRadio.attach`."""
