"""bleak's client on a bumble device: connect, pair, list services, read, write and subscribe."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

from bleak.args import SizedBuffer
from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.backends.client import BaseBleakClient, NotifyCallback
from bleak.backends.descriptor import BleakGATTDescriptor
from bleak.backends.device import BLEDevice
from bleak.backends.service import BleakGATTService, BleakGATTServiceCollection
from bleak.exc import BleakDeviceNotFoundError, BleakError
from bumble.device import Connection, Peer
from bumble.gatt_client import CharacteristicProxy, ServiceProxy
from bumble.hci import Address, HCI_LE_Create_Connection_Cancel_Command

from bluewatt.transports.advertising import text_of_uuid
from bluewatt.transports.virtual.bleak_errors import with_bleak_errors

if TYPE_CHECKING:
    from bluewatt.transports.virtual.bleak_backend import VirtualAdapter

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


class VirtualClient(BaseBleakClient):
    """A client of an adapter, which a subclass names: `VirtualAdapter.client`."""

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
        """What to call the device: its address."""
        return self.address

    @property
    def mtu_size(self) -> int:
        """Bytes of the largest packet both sides agreed on."""
        return self._live().att_mtu

    @property
    def is_connected(self) -> bool:
        """Whether the connection is up."""
        return self._connection is not None

    def _live(self) -> Connection:
        if self._connection is None:
            raise BleakError("Not connected")
        return self._connection

    async def connect(self, pair: bool, **kwargs: Any) -> None:
        """Connect, pair if asked to, and list the services; raises BleakError or TimeoutError."""
        async with asyncio.timeout(self._timeout), self.adapter.connecting:
            self._connection = await with_bleak_errors(self._dial())
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
            await with_bleak_errors(self._live().encrypt())
        elif pair:
            await self.pair()
        self._peer = Peer(self._live())
        await with_bleak_errors(self._peer.request_mtu(_ATT_MTU))
        self.services = await with_bleak_errors(_discover(self._peer))

    async def _bonded(self) -> bool:
        keystore = self.adapter.device.keystore
        return keystore is not None and await keystore.get(str(self._live().peer_address)) is not None

    def _on_disconnection(self, reason: int) -> None:
        self._connection = self._peer = self.services = None
        self._subscriptions.clear()
        if self._disconnected_callback:
            self._disconnected_callback()

    async def disconnect(self) -> None:
        """Hang up, if there is a connection."""
        if self._connection:
            await with_bleak_errors(self._connection.disconnect())

    async def pair(self, *args: Any, **kwargs: Any) -> None:
        """Pair, typing the PIN of the adapter; raises BleakError."""
        await with_bleak_errors(self._live().pair())

    async def unpair(self) -> None:
        """Delete the bond; raises BleakDeviceNotFoundError if there is none."""
        keystore = self.adapter.device.keystore
        try:
            if keystore:
                await keystore.delete(str(self._peer_address))
        except KeyError as error:
            raise BleakDeviceNotFoundError(self.address, f"{self.address} is not paired") from error

    async def read_gatt_char(
        self, characteristic: BleakGATTCharacteristic, *, use_cached: bool = False, **kwargs: Any
    ) -> bytearray:
        """Read a characteristic; raises BleakError."""
        self._live()
        return bytearray(await with_bleak_errors(characteristic.obj.read_value()))

    async def read_gatt_descriptor(
        self, descriptor: BleakGATTDescriptor, *, use_cached: bool = False, **kwargs: Any
    ) -> bytearray:
        """Read a descriptor; raises BleakError."""
        self._live()
        return bytearray(await with_bleak_errors(descriptor.obj.read_value()))

    async def write_gatt_char(self, characteristic: BleakGATTCharacteristic, data: SizedBuffer, response: bool) -> None:
        """Write a characteristic; raises BleakError."""
        self._live()
        await with_bleak_errors(characteristic.obj.write_value(bytes(data), with_response=response))

    async def write_gatt_descriptor(self, descriptor: BleakGATTDescriptor, data: SizedBuffer) -> None:
        """Write a descriptor; raises BleakError."""
        self._live()
        await with_bleak_errors(descriptor.obj.write_value(bytes(data), with_response=True))

    async def start_notify(
        self, characteristic: BleakGATTCharacteristic, callback: NotifyCallback, **kwargs: Any
    ) -> None:
        """Subscribe to a characteristic; raises BleakError."""
        self._live()

        def notified(value: bytes) -> None:
            callback(bytearray(value))

        self._subscriptions[characteristic.handle] = notified
        await with_bleak_errors(characteristic.obj.subscribe(notified, prefer_notify=True))

    async def stop_notify(self, characteristic: BleakGATTCharacteristic) -> None:
        """End a subscription; raises BleakError."""
        self._live()
        await with_bleak_errors(characteristic.obj.unsubscribe(self._subscriptions.pop(characteristic.handle)))


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
