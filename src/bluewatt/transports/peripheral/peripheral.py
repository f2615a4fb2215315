"""An emulated device on a Bluetooth radio: it advertises, takes one client, pairs by its PIN and answers.

    peripheral = Peripheral(radio.device(device.address), device)
    async with peripheral: ...

The device is handed in (see `PeripheralDevice`): who it is, what it advertises, what its registers hold. `clock` and
`speed` are those of the device, so that a minute without keep-alive can pass in a second.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from bumble.att import ATT_Error, ErrorCode
from bumble.core import UUID, AdvertisingData, BaseBumbleError
from bumble.device import Connection, Device
from bumble.gatt import GATT_DEVICE_NAME_CHARACTERISTIC
from bumble.gatt import Characteristic as GattCharacteristic
from bumble.hci import HCI_LE_Set_Advertising_Data_Command

from bluewatt.errors import AdapterUnavailable, Malformed, UnknownType
from bluewatt.tables.gatt import DataCharacteristic
from bluewatt.transports.advertising import (
    advertising_data,
    scan_response_data,
    start_legacy_advertising,
    text_of_uuid,
)
from bluewatt.transports.background import Background
from bluewatt.transports.peripheral.connection import ConnectedDevice, PeripheralConnection
from bluewatt.transports.peripheral.gatt import Handlers, protect_subscriptions, services
from bluewatt.transports.peripheral.pairing import forget_bonds, prepare_pairing
from bluewatt.transports.resource import Resource
from bluewatt.wire.victronconnect.control import build_header

_POWER_ON_TIME = 5.0  # seconds an adapter may take to answer, at first and at last

_REFUSALS = 3  # of one advertisement after the other: then it is not a client that came in between


class PeripheralDevice(ConnectedDevice, Protocol):
    """The device behind a peripheral, as far as the peripheral needs it."""

    address: str
    interval: float
    """Seconds between two advertisements."""
    mtu: int
    """The largest MTU it agrees to."""
    second_service: bool
    """Whether the data service is listed twice."""
    service_uuid: str
    """The UUID that names its product while it advertises no readings."""
    pin_changed: Callable[[], None]
    """What the device calls after a change of PIN."""
    changed: Callable[[], None]
    """What the device calls when its name or advertisement may have changed."""

    @property
    def name(self) -> str:
        """The local name."""
        ...

    @property
    def instant_readout(self) -> bool:
        """Whether it advertises its readings."""
        ...

    @property
    def device_information(self) -> bytes:
        """The content of characteristic 97580002."""
        ...

    def advertisement(self, at: float) -> bytes:
        """Return the manufacturer data after the company identifier."""
        ...

    def connected(self) -> None:
        """Take notice of a new client."""


class Peripheral(Resource):
    """One device on one radio. `refresh` takes new values to the air and to the client; call it once a period.

    Entering switches the radio on and advertises; raises AdapterUnavailable if it does not answer. What ends the device
    later interrupts the body of the `async with`.
    """

    def __init__(
        self, radio: Device, device: PeripheralDevice, *, clock: Callable[[], float], speed: float = 1.0,
        bonds: Path | None = None,
    ) -> None:  # fmt: skip
        self.device = device
        self.radio = radio
        self.client: Connection | None = None
        """The client that is connected."""
        self.served = 0
        """Number of connections so far."""
        self.timeouts = 0
        """Number of connections that ended because no keep-alive came."""
        self._clock = clock
        self._speed = speed
        self._bonds = bonds
        self._link: PeripheralConnection | None = None
        self._timer: asyncio.TimerHandle | None = None
        # Emptied at once, since bumble takes whatever it is given; what may be on its way to the client is bounded
        # by the credits of the session, and by one notification for each measurement of the documented service.
        self._outbox: asyncio.Queue[tuple[Connection, str, bytes] | None] = asyncio.Queue()
        self._news = asyncio.Event()
        self._on_air: tuple[bytes, bytes] | None = None
        self._by_uuid: dict[str, GattCharacteristic[bytes]] = {}
        self._tasks = Background()
        self._closing = False

    async def _open(self, stack: contextlib.AsyncExitStack) -> None:
        self._list_services()
        self.radio.on(Device.EVENT_CONNECTION, self._on_connection)
        self.device.pin_changed = self._forget_bonds
        self.device.changed = self._news.set
        await stack.enter_async_context(self._tasks)
        await self._switch_on()
        stack.push_async_callback(self._switch_off)
        stack.push_async_callback(self._let_tasks_end)
        self._tasks.start(self._keep_advertising(), name=f"advertise {self.device.address}")
        self._tasks.start(self._send_notifications(), name=f"notify {self.device.address}")

    async def _switch_on(self) -> None:
        try:
            async with asyncio.timeout(_POWER_ON_TIME):
                await self.radio.power_on()
                prepare_pairing(self.radio, lambda: self.device.pin, self._bonds)
                # The first time here: bumble gives two advertising sets that are made at once the same number.
                await self._advertise()
        except (TimeoutError, BaseBumbleError) as error:
            why = str(error) or "no answer"
            raise AdapterUnavailable(f"the Bluetooth adapter cannot be a device: {why}", reason="missing") from error

    async def _let_tasks_end(self) -> None:
        """Tell the tasks to end: a command to the adapter that is cut off in the middle blocks all later ones."""
        self._closing = True
        self._news.set()
        self._outbox.put_nowait(None)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_POWER_ON_TIME):
                await self._tasks.ended()

    async def _switch_off(self) -> None:
        self._stop_timer()
        with contextlib.suppress(BaseBumbleError, TimeoutError):
            async with asyncio.timeout(_POWER_ON_TIME):
                if self.client:
                    await self._turn_away(self.client)
                await self.radio.stop_advertising()
                await self.radio.power_off()

    def refresh(self) -> None:
        """Send new values of the device to the air and to the client."""
        if self._link:
            self._link.publish(self._clock())
        else:
            self._news.set()

    # services

    def _list_services(self) -> None:
        handlers = Handlers(
            header=self._read_header,
            chunk=self._take_chunk,
            information=lambda connection: self.device.device_information,
            nonce=lambda connection: self._connection_of(connection).nonce(),
            puk=lambda connection, data: self._connection_of(connection).answer_puk(bytes(data)),
            pin=lambda connection, data: self._connection_of(connection).answer_pin(bytes(data)),
            shunt_read=lambda uuid: self._link.read_shunt(uuid) if self._link else b"",
            shunt_write=self._write_shunt,
        )
        device = self.device
        listed = services(handlers, second=device.second_service, shunt=device.shunt_service)
        self.radio.gatt_server.max_mtu = device.mtu
        for service in listed:
            self.radio.add_service(service)
            for characteristic in service.characteristics:
                self._by_uuid[text_of_uuid(characteristic.uuid)] = characteristic
        protect_subscriptions(self.radio.gatt_server.attributes)

    def _connection_of(self, connection: Connection) -> PeripheralConnection:
        if self._link is None or connection is not self.client:
            raise ATT_Error(error_code=ErrorCode.UNLIKELY_ERROR)
        return self._link

    def _read_header(self, connection: Connection) -> bytes:
        self._connection_of(connection).secured(self._clock())
        self._wind_timer()
        return build_header(self.device.personality.header)

    def _take_chunk(
        self, connection: Connection, characteristic: DataCharacteristic, data: bytes, service: str
    ) -> None:
        link = self._connection_of(connection)
        link.session.mtu = connection.att_mtu
        link.receive(characteristic, data, service, self._clock())
        self._wind_timer()

    def _write_shunt(self, uuid: str, data: bytes) -> None:
        if self._link is None:
            return
        try:
            self._link.write_shunt(uuid, data, self._clock())
        except Malformed:
            raise ATT_Error(error_code=ErrorCode.INVALID_ATTRIBUTE_LENGTH) from None
        except UnknownType:
            raise ATT_Error(error_code=ErrorCode.WRITE_NOT_PERMITTED) from None
        self._wind_timer()

    # connections

    def _on_connection(self, connection: Connection) -> None:
        if self.client is not None:
            self._tasks.start(self._turn_away(connection), name=f"turn away {connection.peer_address}")
            return
        self.client = connection
        self.served += 1
        self.device.connected()

        def notify(uuid: str, data: bytes) -> None:
            self._outbox.put_nowait((connection, uuid, data))

        self._link = PeripheralConnection(self.device, notify, self._clock())
        connection.on(Connection.EVENT_DISCONNECTION, self._on_disconnection)
        connection.on(Connection.EVENT_CONNECTION_ENCRYPTION_CHANGE, self._on_encryption)
        self._wind_timer()
        self._news.set()

    async def _turn_away(self, connection: Connection) -> None:
        with contextlib.suppress(BaseBumbleError):
            await connection.disconnect()

    def _on_encryption(self) -> None:
        if self._link and self.client and self.client.encryption:
            self._link.secured(self._clock())
            self._wind_timer()

    def _on_disconnection(self, reason: int) -> None:
        self.client = self._link = None
        self._stop_timer()
        self._news.set()

    # the keep-alive

    def _wind_timer(self) -> None:
        self._stop_timer()
        deadline = self._link.deadline() if self._link else None
        if deadline is not None and deadline < float("inf"):
            left = max(0.0, (deadline - self._clock()) / self._speed)
            self._timer = asyncio.get_running_loop().call_later(left, self._on_deadline)

    def _stop_timer(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None

    def _on_deadline(self) -> None:
        if self._link is None or self.client is None:
            return
        if self._clock() < self._link.deadline():
            self._wind_timer()
            return
        self.timeouts += 1
        self._tasks.start(self._turn_away(self.client), name=f"turn away {self.client.peer_address}")

    # notifications and advertisements

    async def _send_notifications(self) -> None:
        while (item := await self._outbox.get()) is not None:
            connection, uuid, data = item
            with contextlib.suppress(BaseBumbleError):  # the client left in this moment
                if connection is self.client:
                    await self.radio.notify_subscriber(connection, self._by_uuid[uuid], data)

    def _forget_bonds(self) -> None:
        self._tasks.start(forget_bonds(self.radio), name=f"forget the bonds of {self.device.address}")

    async def _keep_advertising(self) -> None:
        refusals = 0
        while not self._closing:
            await self._news.wait()
            self._news.clear()
            try:
                await (self._advertise() if self.client is None else self._fall_silent())
                refusals = 0
            except BaseBumbleError as error:
                # A client connected while we were telling the adapter: the connection event sets the news again.
                self._on_air = None
                refusals += 1
                if refusals == _REFUSALS:
                    why = f"the Bluetooth adapter does not advertise as {self.device.name} any more: {error}"
                    raise AdapterUnavailable(why, reason="refused") from error

    async def _advertise(self) -> None:
        self._show_name()
        data, response = self._advertised()
        if self._on_air is None or self._on_air[1] != response:
            await start_legacy_advertising(self.radio, data, response, interval=self.device.interval)
        elif self._on_air[0] != data:
            await self._replace(data)
        self._on_air = data, response

    def _show_name(self) -> None:
        """Write the local name into the generic access service, too."""
        for attribute in self.radio.gatt_server.attributes:
            if attribute.type == GATT_DEVICE_NAME_CHARACTERISTIC:
                attribute.value = self.device.name.encode()

    def _advertised(self) -> tuple[bytes, bytes]:
        device = self.device
        data = advertising_data(device.advertisement(self._clock()))
        if not device.instant_readout:
            uuid = UUID(device.service_uuid)
            kind = AdvertisingData.Type.COMPLETE_LIST_OF_128_BIT_SERVICE_CLASS_UUIDS
            data += bytes(AdvertisingData([(kind, uuid.to_bytes())]))
        return data, scan_response_data(device.name)

    async def _replace(self, data: bytes) -> None:
        if self.radio.legacy_advertising_set:
            await self.radio.legacy_advertising_set.set_advertising_data(data)
        else:
            await self.radio.send_sync_command(HCI_LE_Set_Advertising_Data_Command(advertising_data=data))

    async def _fall_silent(self) -> None:
        if self._on_air is not None:
            self._on_air = None
            await self.radio.stop_advertising()
