"""Find a device and connect to it: the part of a link before any register is read.

A central is one adapter of this computer, through the system's Bluetooth (bleak, with the retries of
bleak-retry-connector) or through the virtual adapter, whose host is this process. It sets up one connection at a time,
since two at once abort each other on common controllers, and it waits a random moment between two tries: a controller
that is stuck heals only when it is left alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec
from bleak import BleakClient
from bleak.args.bluez import BlueZClientArgs
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData
from bleak.exc import BleakError
from bleak_retry_connector import establish_connection

from bluewatt.errors import DeviceNotFound, KeyProblem
from bluewatt.model.keys import normal_address
from bluewatt.tables.gatt import COMPANY_ID, DATA_SERVICE, SECOND_DATA_SERVICE, SHUNT_SERVICE
from bluewatt.tables.products import product_name
from bluewatt.transports.ble.adapter import Adapter, owner_of
from bluewatt.transports.ble.adapter_errors import AdapterErrors, adapter_unavailable
from bluewatt.transports.ble.channel import FIND, NEAREST
from bluewatt.wire.instant_readout.advertisement import refuses_connections
from bluewatt.wire.printable import printable

if TYPE_CHECKING:  # the virtual adapter needs bumble, which is not installed for a real adapter alone
    from bluewatt.transports.virtual.bleak_backend import VirtualAdapter

DIAL = 20.0
"""Seconds that one attempt to connect may take."""

TRIES = 3
"""Attempts to connect to a device that was heard."""

_PRODUCT = 0x10  # first byte of the manufacturer data of a device that takes connections (protocol page, section 1)
_PRODUCT_ID = slice(2, 4)
_log = logging.getLogger(__name__)
_OUR_SERVICES = frozenset({DATA_SERVICE, SECOND_DATA_SERVICE, SHUNT_SERVICE})
_NO_RSSI = -127


class DeviceQuery(msgspec.Struct, frozen=True):
    """The device to look for: by address, by a part of its name, or (neither) the nearest."""

    address: str | None = None
    name: str | None = None

    @classmethod
    def of(cls, text: str | None) -> DeviceQuery:
        """Return the query a person typed: an address, else a part of a name; None for the nearest."""
        if text is None:
            return cls()
        try:
            return cls(address=normal_address(text))
        except KeyProblem:
            return cls(name=text)

    @property
    def nearest(self) -> bool:
        """Whether any device will do."""
        return self.address is None and self.name is None

    def __str__(self) -> str:
        return self.address or self.name or "a Victron device"

    def fits(self, device: BLEDevice, heard: AdvertisementData) -> bool:
        """Return whether an advertisement is that of a device looked for."""
        if self.address is not None:
            return device.address.upper() == self.address
        payload = heard.manufacturer_data.get(COMPANY_ID, b"")
        if payload[:1] != bytes((_PRODUCT,)) and not _OUR_SERVICES.intersection(heard.service_uuids):
            return False
        name = heard.local_name or device.name or ""
        return self.name is None or self.name.casefold() in name.casefold()


class NearbyDevice(msgspec.Struct, frozen=True):
    """A device that was heard and can be connected to."""

    handle: BLEDevice
    name: str | None
    rssi: int
    product_id: int | None
    refuses: bool = False
    """Whether it said that it takes no connection now: a hint, no proof (single source)."""

    @property
    def address(self) -> str:
        """Its Bluetooth address, on macOS a UUID."""
        return self.handle.address

    @property
    def label(self) -> str:
        """Its name in a sentence: the advertised name, the product, or the address."""
        return self.name or (product_name(self.product_id) if self.product_id is not None else self.address)


class Central:
    """One adapter that connects: the system's (`adapter`, such as "hci1", or its first), or a virtual one."""

    def __init__(self, adapter: str | None = None, *, virtual: VirtualAdapter | None = None) -> None:
        self.adapter = adapter
        self.virtual = virtual
        self._owner: Adapter | None = None
        self.origin = f"ble:{adapter or ''}" if virtual is None else "virtual:"
        self.client_class: type[BleakClient] = BleakClient
        """The class of clients that connect; another class records the traffic."""
        self.one_of_a_name = False
        """Whether a part of a name that fits several devices is refused: set before writing."""

    @property
    def owner(self) -> Adapter:
        """The owner of the adapter, which shares scans and the turn to connect among all its users."""
        if self._owner is None:
            self._owner = owner_of(self.adapter, self.virtual.scanner if self.virtual else None)
        return self._owner

    async def find(self, wanted: DeviceQuery, *, seconds: float = FIND, nearest: float = NEAREST) -> NearbyDevice:
        """Return the device, as soon as it is heard, or the strongest one of `nearest` seconds.

        Raises DeviceNotFound with the likely reasons, AdapterUnavailable if there is no adapter to listen with.
        """
        found = await self._listen(wanted, seconds, nearest)
        same = [one for one in found if (one.name or "").casefold() == (wanted.name or "").casefold()]
        if self._names_one(wanted) and len(found) > 1 and len(same) != 1:
            names = ", ".join(sorted(f"{one.label} ({one.address})" for one in found))
            raise DeviceNotFound(f"{wanted} is a part of {len(found)} names: {names}; write the address of one")
        chosen = max(same or found, key=lambda one: one.rssi)
        _log.debug("chosen: %s (%s)", chosen.label, chosen.address)
        return chosen

    def _names_one(self, wanted: DeviceQuery) -> bool:
        return self.one_of_a_name and wanted.name is not None

    async def _listen(self, wanted: DeviceQuery, seconds: float, nearest: float) -> list[NearbyDevice]:
        """Return the devices that fit: the first one heard, or all of `nearest` seconds if the others matter."""
        _log.info("looking for %s", wanted)
        found: dict[str, NearbyDevice] = {}
        arrived = asyncio.Event()
        strangers = 0

        def heard(device: BLEDevice, data: AdvertisementData) -> None:
            nonlocal strangers
            if data.rssi == _NO_RSSI or not wanted.fits(device, data):
                strangers += 1
                return
            before = found.get(device.address)
            found[device.address] = now = _nearby(device, data, before)
            if before is None:
                _log.debug("found %s (%s), %d dBm", now.label, now.address, now.rssi)
            arrived.set()

        try:
            await self.owner.listen("active", heard)
            await _wait(arrived, seconds)
            if found and (wanted.nearest or self._names_one(wanted)):
                await asyncio.sleep(nearest)
        except AdapterErrors as error:
            raise adapter_unavailable(error, self.adapter) from error
        finally:
            await self.owner.leave(heard)
        if not found:
            raise DeviceNotFound(_not_heard(wanted, seconds, strangers))
        return list(found.values())

    async def dial(
        self, nearby: NearbyDevice, lost: Callable[[BleakClient], None], client_class: type[BleakClient] | None = None
    ) -> BleakClient:
        """Return a connected client with its services; raises `LinkErrors` if every attempt failed.

        `client_class` is used in place of the central's own.
        """
        made_by = client_class or self.client_class
        if self.virtual:
            return await self._dial_virtual(nearby, lost, made_by)
        bluez = BlueZClientArgs(adapter=self.adapter) if self.adapter else BlueZClientArgs()
        return await establish_connection(
            made_by, nearby.handle, nearby.label, lost, TRIES, use_services_cache=False, bluez=bluez
        )

    async def _dial_virtual(
        self, nearby: NearbyDevice, lost: Callable[[BleakClient], None], made_by: type[BleakClient]
    ) -> BleakClient:
        assert self.virtual
        client = made_by(nearby.handle, disconnected_callback=lost, backend=self.virtual.client, timeout=DIAL / TRIES)
        for left in reversed(range(TRIES)):
            try:
                await client.connect()
                return client
            except (BleakError, TimeoutError):
                if not left:
                    raise
                await asyncio.sleep(random.uniform(0.05, 0.25))
        raise AssertionError("the last try returns or raises")


def _nearby(device: BLEDevice, data: AdvertisementData, before: NearbyDevice | None) -> NearbyDevice:
    payload = data.manufacturer_data.get(COMPANY_ID, b"")
    product_id = int.from_bytes(payload[_PRODUCT_ID], "little") if len(payload) >= _PRODUCT_ID.stop else None
    name = printable(data.local_name or (before.name if before else None) or device.name or "")
    return NearbyDevice(device, name or None, data.rssi, product_id, refuses_connections(payload))


async def _wait(arrived: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await arrived.wait()


def _not_heard(wanted: DeviceQuery, seconds: float, strangers: int) -> str:
    heard = "other devices were heard" if strangers else "nothing at all was heard"
    return (
        f"{wanted} was not heard within {seconds:g} s, though {heard}" if strangers else
        f"{wanted} was not heard within {seconds:g} s: {heard}"
    ) + (
        "; it is out of range, switched off, or a phone or another program is connected to it"
        " (a connected device does not advertise)"
    )  # fmt: skip
