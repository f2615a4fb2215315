"""bleak on the virtual radio: backends for BleakScanner and BleakClient over a bumble device.

    async with VirtualRadio() as radio, VirtualAdapter(radio) as adapter:
        async with BleakScanner(callback, backend=adapter.scanner): ...
        async with BleakClient(device, backend=adapter.client) as client: ...

The same program then runs against simulated devices that drives a real adapter. An adapter keeps its bonds in
`key_store` and types `pin` when a device asks for a passkey.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Literal, Protocol, Self, TypeVar

from bleak.args import SizedBuffer
from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.backends.client import BaseBleakClient, NotifyCallback
from bleak.backends.descriptor import BleakGATTDescriptor
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData, AdvertisementDataCallback, BaseBleakScanner
from bleak.backends.service import BleakGATTService, BleakGATTServiceCollection
from bleak.exc import BleakDeviceNotFoundError, BleakError, BleakGATTProtocolError
from bumble.att import ATT_Error
from bumble.core import UUID, AdvertisingData, BaseBumbleError, ProtocolError
from bumble.device import Advertisement, Connection, Device, Peer
from bumble.gatt_client import CharacteristicProxy, ServiceProxy
from bumble.hci import Address, HCI_LE_Create_Connection_Cancel_Command
from bumble.pairing import PairingConfig, PairingDelegate

from bluewatt.errors import AdapterUnavailable
from bluewatt.transports.virtual.bonds import Bonds, Passkey
from bluewatt.transports.virtual.radio import text_of_uuid

ADAPTER_ADDRESS = "F0:00:00:00:00:01"
"""Random static address of the virtual adapter, where the caller does not choose one."""

_ATT_MTU = 247
_PROPERTIES = (
    "broadcast",
    "read",
    "write-without-response",
    "write",
    "notify",
    "indicate",
    "authenticated-signed-writes",
    "extended-properties",
)
_T = TypeVar("_T")


class HasDevices(Protocol):
    """Where an adapter gets its device from: a virtual radio, or a controller whose host is this process."""

    def device(self, address: str, *, name: str = ...) -> Device:
        """A whole bumble device, not powered on yet."""
        ...


class VirtualAdapter:
    """A powered-on adapter on the virtual radio; `scanner` and `client` are its bleak backends."""

    def __init__(
        self,
        radio: HasDevices,
        *,
        address: str = ADAPTER_ADDRESS,
        pin: str | None = None,
        key_store: Path | None = None,
    ) -> None:
        self.pin = pin
        """Passkey of six digits typed when a device asks for it; None refuses to pair."""
        self.device = radio.device(address, name=f"adapter {address}")
        self.device.pairing_config_factory = self._pairing_config
        self.scanner = type("VirtualScanner", (_Scanner,), {"adapter": self})
        self.client = type("VirtualClient", (_Client,), {"adapter": self})
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
        """Scan as the scanners that run want it: until the last has stopped, actively while one of them is active."""
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
        """The passkey, None to refuse."""
        return None if self._pin is None else Passkey(self._pin)


class _Scanner(BaseBleakScanner):
    adapter: ClassVar[VirtualAdapter]

    def __init__(
        self,
        detection_callback: AdvertisementDataCallback | None,
        service_uuids: list[str] | None,
        scanning_mode: Literal["active", "passive"],
        **kwargs: Any,
    ) -> None:
        super().__init__(detection_callback, service_uuids)
        self._active = scanning_mode == "active"

    async def start(self) -> None:
        self.seen_devices = {}
        device = self.adapter.device
        device.on(Device.EVENT_ADVERTISEMENT, self._on_advertisement)
        self.adapter.scans[self] = self._active
        await _translated(self.adapter.scan())

    async def stop(self) -> None:
        device = self.adapter.device
        device.remove_listener(Device.EVENT_ADVERTISEMENT, self._on_advertisement)
        self.adapter.scans.pop(self, None)
        await _translated(self.adapter.scan())

    def _on_advertisement(self, heard: Advertisement) -> None:
        uuids = _service_uuids(heard.data)
        if not self.is_allowed_uuid(uuids):
            return
        data = AdvertisementData(
            local_name=_local_name(heard.data),
            manufacturer_data=dict(heard.data.get_all(AdvertisingData.Type.MANUFACTURER_SPECIFIC_DATA)),
            service_data={},
            service_uuids=uuids,
            tx_power=None,
            rssi=heard.rssi,
            platform_data=(heard,),
        )
        address = heard.address.to_string(False)
        self.call_detection_callbacks(
            self.create_or_update_device(address, address, data.local_name, heard.address, data), data
        )


def _local_name(data: AdvertisingData) -> str | None:
    return data.get(AdvertisingData.Type.COMPLETE_LOCAL_NAME) or data.get(AdvertisingData.Type.SHORTENED_LOCAL_NAME)


_UUID_LISTS = (
    AdvertisingData.Type.COMPLETE_LIST_OF_16_BIT_SERVICE_CLASS_UUIDS,
    AdvertisingData.Type.INCOMPLETE_LIST_OF_16_BIT_SERVICE_CLASS_UUIDS,
    AdvertisingData.Type.COMPLETE_LIST_OF_128_BIT_SERVICE_CLASS_UUIDS,
    AdvertisingData.Type.INCOMPLETE_LIST_OF_128_BIT_SERVICE_CLASS_UUIDS,
)


def _service_uuids(data: AdvertisingData) -> list[str]:
    lists: list[list[UUID]] = [uuids for kind in _UUID_LISTS for uuids in data.get_all(kind)]  # type: ignore[misc]
    return [text_of_uuid(uuid) for uuids in lists for uuid in uuids]


class _Client(BaseBleakClient):
    adapter: ClassVar[VirtualAdapter]

    def __init__(
        self,
        address_or_ble_device: BLEDevice | str,
        *,
        disconnected_callback: Callable[[], None] | None,
        timeout: float,
        **kwargs: Any,
    ) -> None:
        super().__init__(address_or_ble_device, disconnected_callback=disconnected_callback, timeout=timeout)
        details = getattr(address_or_ble_device, "details", None)
        self._peer_address = (
            details if isinstance(details, Address) else Address(self.address, Address.RANDOM_DEVICE_ADDRESS)
        )
        self._connection: Connection | None = None
        self._peer: Peer | None = None
        self._subscriptions: dict[int, Callable[[bytes], None]] = {}

    @property
    def name(self) -> str:
        return self.address

    @property
    def mtu_size(self) -> int:
        return self._live().att_mtu

    @property
    def is_connected(self) -> bool:
        return self._connection is not None

    def _live(self) -> Connection:
        if self._connection is None:
            raise BleakError("Not connected")
        return self._connection

    async def connect(self, pair: bool, **kwargs: Any) -> None:
        async with asyncio.timeout(self._timeout), self.adapter.connecting:
            self._connection = await _translated(self._dial())
            self._connection.on(Connection.EVENT_DISCONNECTION, self._on_disconnection)
            try:
                await self._set_up(pair)
            except BaseException:
                await self.disconnect()
                raise

    async def _dial(self) -> Connection:
        device = self.adapter.device
        try:
            return await device.connect(self._peer_address, timeout=None)
        except asyncio.CancelledError:
            # Out of time: without this the adapter goes on waiting and refuses the next connection.
            await device.send_sync_command(HCI_LE_Create_Connection_Cancel_Command())
            raise

    async def _set_up(self, pair: bool) -> None:
        if await self._bonded():
            await _translated(self._live().encrypt())
        elif pair:
            await self.pair()
        self._peer = Peer(self._live())
        await _translated(self._peer.request_mtu(_ATT_MTU))
        self.services = await _translated(_discover(self._peer))

    async def _bonded(self) -> bool:
        keystore = self.adapter.device.keystore
        return keystore is not None and await keystore.get(str(self._live().peer_address)) is not None

    def _on_disconnection(self, reason: int) -> None:
        self._connection = self._peer = self.services = None
        self._subscriptions.clear()
        if self._disconnected_callback:
            self._disconnected_callback()

    async def disconnect(self) -> None:
        if self._connection:
            await _translated(self._connection.disconnect())

    async def pair(self, *args: Any, **kwargs: Any) -> None:
        await _translated(self._live().pair())

    async def unpair(self) -> None:
        keystore = self.adapter.device.keystore
        try:
            if keystore:
                await keystore.delete(str(self._peer_address))
        except KeyError as error:
            raise BleakDeviceNotFoundError(self.address, f"{self.address} is not paired") from error

    async def read_gatt_char(
        self, characteristic: BleakGATTCharacteristic, *, use_cached: bool = False, **kwargs: Any
    ) -> bytearray:
        self._live()
        return bytearray(await _translated(characteristic.obj.read_value()))

    async def read_gatt_descriptor(
        self, descriptor: BleakGATTDescriptor, *, use_cached: bool = False, **kwargs: Any
    ) -> bytearray:
        self._live()
        return bytearray(await _translated(descriptor.obj.read_value()))

    async def write_gatt_char(self, characteristic: BleakGATTCharacteristic, data: SizedBuffer, response: bool) -> None:
        self._live()
        await _translated(characteristic.obj.write_value(bytes(data), with_response=response))

    async def write_gatt_descriptor(self, descriptor: BleakGATTDescriptor, data: SizedBuffer) -> None:
        self._live()
        await _translated(descriptor.obj.write_value(bytes(data), with_response=True))

    async def start_notify(
        self, characteristic: BleakGATTCharacteristic, callback: NotifyCallback, **kwargs: Any
    ) -> None:
        self._live()

        def notified(value: bytes) -> None:
            callback(bytearray(value))

        self._subscriptions[characteristic.handle] = notified
        await _translated(characteristic.obj.subscribe(notified, prefer_notify=True))

    async def stop_notify(self, characteristic: BleakGATTCharacteristic) -> None:
        self._live()
        await _translated(characteristic.obj.unsubscribe(self._subscriptions.pop(characteristic.handle)))


async def _translated(action: Awaitable[_T]) -> _T:
    """Await a bumble operation; what it raises becomes what bleak raises."""
    try:
        return await action
    except ATT_Error as error:
        raise BleakGATTProtocolError(int(error.error_code)) from error
    except ProtocolError as error:
        raise BleakError(f"{error.error_namespace or 'Bluetooth'} error: {error.error_name or error}") from error
    except BaseBumbleError as error:
        raise BleakError(str(error) or type(error).__name__) from error


async def _discover(peer: Peer) -> BleakGATTServiceCollection:
    found = BleakGATTServiceCollection()
    for service in await peer.discover_services():
        theirs = BleakGATTService(service, service.handle, text_of_uuid(service.uuid))
        found.add_service(theirs)
        for characteristic in await _characteristics(service):
            await _add_characteristic(found, theirs, characteristic, peer)
    return found


async def _characteristics(service: ServiceProxy) -> list[CharacteristicProxy[bytes]]:
    return list(await service.discover_characteristics())


async def _add_characteristic(
    found: BleakGATTServiceCollection, service: BleakGATTService, characteristic: CharacteristicProxy[bytes], peer: Peer
) -> None:
    properties: list[Any] = [name for bit, name in enumerate(_PROPERTIES) if characteristic.properties & 1 << bit]
    theirs = BleakGATTCharacteristic(
        characteristic,
        characteristic.handle,
        text_of_uuid(characteristic.uuid),
        properties,
        lambda: peer.connection.att_mtu - 3,
        service,
    )
    found.add_characteristic(theirs)
    for descriptor in await characteristic.discover_descriptors():
        found.add_descriptor(BleakGATTDescriptor(descriptor, descriptor.handle, text_of_uuid(descriptor.type), theirs))
