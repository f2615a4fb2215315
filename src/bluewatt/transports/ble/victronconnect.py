"""VictronConnect's protocol on a connected bleak client: the session machine with a radio and a clock.

Notifications of the three characteristics are handled in their order of arrival, writes leave through one queue in
their order; `wire/victronconnect/session.py` decides what happens in between. Questions are matched to answers by
instance and register, which is all the protocol gives (protocol page victronconnect-gatt, section 7).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, TypeVar

from bleak import BleakClient
from bleak.backends.characteristic import BleakGATTCharacteristic

from bluewatt.errors import DeviceRefused, LinkLost, LinkTimeout
from bluewatt.tables.gatt import DATA_SERVICE, SECOND_DATA_SERVICE, DataCharacteristic, Opcode
from bluewatt.transports.ble.channel import Answer, Clock
from bluewatt.transports.ble.link_errors import refused
from bluewatt.wire.victronconnect.client import ANSWER_TIMEOUT, ClientSide
from bluewatt.wire.victronconnect.control import Header
from bluewatt.wire.victronconnect.events import Event, Unanswered
from bluewatt.wire.victronconnect.messages import (
    DeviceList,
    GetDevices,
    GetValues,
    Message,
    RegisterAddress,
    Response,
    SetValues,
    Subscribe,
    ValueMessage,
    ValueResponse,
)
from bluewatt.wire.victronconnect.reassembly import ChunkWrite, ProtocolError
from bluewatt.wire.victronconnect.session import Session

PER_REQUEST = 16
"""The largest number of registers in one request; a device answers them in one message or a few."""

SETTLE = 1.0
"""Seconds to wait for the answer to a write: some devices accept ordinary settings in silence (section 9)."""

_ATT_OVERHEAD = 3
_T = TypeVar("_T")


class VregChannel:
    """A session of questions and answers on one connection; `on_value` is called with every value, asked for or not.

    The header is read and notifications are on when `open` returns; DeviceRefused, LinkTimeout and LinkLost say what
    went wrong later. `lost` is to be called when the connection ends.
    """

    def __init__(
        self,
        client: BleakClient,
        name: str,
        *,
        on_value: Callable[[int, int, bytes], None],
        side: ClientSide | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.side = side or ClientSide()
        self.session = Session(self.side)
        self.damaged: ProtocolError | None = None
        """The last message that did not parse."""
        self._client = client
        self._name = name
        self._on_value = on_value
        self._clock = clock or Clock()
        self._parts = _characteristics(client)
        self._waiting: dict[RegisterAddress, list[asyncio.Future[bytes]]] = {}
        self._device_list: asyncio.Future[DeviceList] | None = None
        self._subscribing: asyncio.Future[int] | None = None
        self._outbox: asyncio.Queue[ChunkWrite] = asyncio.Queue()
        self._timer: asyncio.TimerHandle | None = None
        self._writer: asyncio.Task[None] | None = None
        self._gone: LinkLost | None = None

    @staticmethod
    def serves(client: BleakClient) -> bool:
        """Return whether the connected device has the data service."""
        return _service(client) is not None

    async def read_header(self) -> Header:
        """Read the control characteristic; raises Malformed for the empty answer of a link that is not paired."""
        return self.side.read_header(bytes(await self._client.read_gatt_char(self._parts[DataCharacteristic.CONTROL])))

    async def open(self) -> None:
        """Begin the session on a paired link: notifications, limits, first grant."""
        for role in (DataCharacteristic.CONTROL, DataCharacteristic.LAST, DataCharacteristic.BULK):
            await self._client.start_notify(self._parts[role], partial(self._notified, role))
        self.session.mtu = self._parts[DataCharacteristic.LAST].max_write_without_response_size + _ATT_OVERHEAD
        self._writer = asyncio.create_task(self._write_all(), name=f"writes to {self._name}")
        self._after(self.session.open(self._clock.now()))

    async def close(self) -> None:
        """End the session; the connection itself stays, for its owner to close."""
        self.lost(LinkLost(f"the connection to {self._name} was closed"))
        if self._writer:
            self._writer.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._writer

    def lost(self, error: LinkLost) -> None:
        """Let every waiting question fail with `error`: the connection ended."""
        self._gone = self._gone or error
        if self._timer:
            self._timer.cancel()
        for future in [one for futures in self._waiting.values() for one in futures]:
            _fail(future, self._gone)
        for waiting in (self._device_list, self._subscribing):
            if waiting is not None:
                _fail(waiting, self._gone)
        self._waiting.clear()

    async def devices(self) -> tuple[tuple[int, int], ...]:
        """Return the instances of the device; empty if it does not say in time."""
        self._device_list = asyncio.get_running_loop().create_future()
        self._send(GetDevices())
        try:
            return (await self._patiently(self._device_list)).pairs
        except TimeoutError:
            return ()

    async def subscribe(self, instance: int) -> bool:
        """Ask for every change of an instance; return False if the device refuses or does not answer."""
        self._subscribing = asyncio.get_running_loop().create_future()
        self._send(Subscribe(instance))
        try:
            return await self._patiently(self._subscribing) == 0
        except TimeoutError:
            return False

    async def ask(self, instance: int, registers: Sequence[int]) -> dict[int, Answer]:
        """Return the answers for registers of one instance; raises LinkLost if the connection ends first."""
        futures = {register: self._expect((instance, register)) for register in registers}
        for start in range(0, len(registers), PER_REQUEST):
            self._send(GetValues(instance, tuple(registers[start : start + PER_REQUEST])))
        answers = await asyncio.gather(*futures.values(), return_exceptions=True)
        return {register: _answer(answer) for register, answer in zip(futures, answers, strict=True)}

    async def write(self, instance: int, register: int, raw: bytes) -> None:
        """Write a register; raises DeviceRefused if the device says no. Silence counts as accepted: read it back."""
        future = self._expect((instance, register))
        self._send(SetValues(instance, ((register, raw),)))
        try:
            async with asyncio.timeout(SETTLE / self._clock.speed):
                await future
        except TimeoutError:
            self._forget((instance, register), future)

    async def _patiently(self, future: asyncio.Future[_T]) -> _T:
        async with asyncio.timeout(ANSWER_TIMEOUT / self._clock.speed):
            return await future

    def _expect(self, key: RegisterAddress) -> asyncio.Future[bytes]:
        future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        if self._gone:
            future.set_exception(self._gone)
        else:
            self._waiting.setdefault(key, []).append(future)
        return future

    def _forget(self, key: RegisterAddress, future: asyncio.Future[bytes]) -> None:
        futures = self._waiting.get(key, [])
        if future in futures:
            futures.remove(future)
        if not futures:
            self._waiting.pop(key, None)

    # bytes in and out

    def _send(self, message: Message) -> None:
        if self._gone:
            raise self._gone
        self._after(self.session.send(message, self._clock.now()))

    def _notified(self, role: DataCharacteristic, sender: BleakGATTCharacteristic, data: bytearray) -> None:
        if self._gone is None:
            self._take(self.session.receive(role, bytes(data), self._clock.now()))
            self._after(self.session.take_writes())

    def _on_time(self) -> None:
        self._take(self.session.on_time(self._clock.now()))
        self._after(self.session.take_writes())

    def _after(self, writes: Iterable[ChunkWrite]) -> None:
        for write in writes:
            self._outbox.put_nowait(write)
        if self._timer:
            self._timer.cancel()
        deadline = self.session.deadline()
        if deadline is not None and self._gone is None:
            left = max(deadline - self._clock.now(), 0) / self._clock.speed
            self._timer = asyncio.get_running_loop().call_later(left, self._on_time)

    async def _write_all(self) -> None:
        while True:
            write = await self._outbox.get()
            try:
                await self._client.write_gatt_char(self._parts[write.characteristic], write.data, response=False)
            except Exception as error:  # whatever it is: nobody may wait for an answer to what was not sent
                lost = LinkLost(f"{self._name} took no more bytes: {str(error) or type(error).__name__}")
                lost.__cause__ = error
                return self.lost(lost)

    # what arrived

    def _take(self, events: Sequence[Event]) -> None:
        for event in events:
            match event:
                case ValueMessage(instance, register, raw):
                    self._resolve((instance, register), raw)
                    self._on_value(instance, register, raw)
                case ValueResponse(instance, register, code) if code:
                    self._reject((instance, register), refused(self._name, register, code))
                case Response():
                    self._respond(event)
                case DeviceList() if self._device_list and not self._device_list.done():
                    self._device_list.set_result(event)
                case Unanswered(keys):
                    for key in keys:
                        self._reject(key, self._silence(key))
                case ProtocolError():
                    self.damaged = event

    def _respond(self, response: Response) -> None:
        if response.request_opcode == Opcode.SUBSCRIBE and self._subscribing and not self._subscribing.done():
            self._subscribing.set_result(response.code)
        elif response.code and response.request in (Opcode.GET_VALUES, Opcode.SET_VALUES):
            # The item is 0 for the whole request, the instance or a register (section 5.2).
            for key in [key for key in self._waiting if response.item in (0, *key)]:
                self._reject(key, refused(self._name, key[1], response.code))

    def _resolve(self, key: RegisterAddress, raw: bytes) -> None:
        for future in self._waiting.pop(key, ()):
            if not future.done():
                future.set_result(raw)

    def _reject(self, key: RegisterAddress, error: Exception) -> None:
        for future in self._waiting.pop(key, ()):
            _fail(future, error)

    def _silence(self, key: RegisterAddress) -> LinkTimeout:
        why = f": it sent bytes that do not parse ({self.damaged})" if self.damaged else ""
        return LinkTimeout(f"{self._name} is connected and does not answer for register 0x{key[1]:04X}{why}")


def _service(client: BleakClient) -> str | None:
    """Return the UUID of the data service, of the first copy if there are two."""
    listed = (client.services.get_service(uuid) for uuid in (DATA_SERVICE, SECOND_DATA_SERVICE))
    return next((service.uuid for service in listed if service), None)


def _characteristics(client: BleakClient) -> dict[DataCharacteristic, BleakGATTCharacteristic]:
    uuid = _service(client)
    service = client.services.get_service(uuid) if uuid else None
    found = {role: service and uuid and service.get_characteristic(role.uuid_in(uuid)) for role in DataCharacteristic}
    parts = {role: part for role, part in found.items() if part}
    if len(parts) < len(DataCharacteristic):
        raise LinkLost("the device does not list the characteristics of VictronConnect's service; connect again")
    return parts


def _fail(future: asyncio.Future[Any], error: Exception) -> None:
    if not future.done():
        future.set_exception(error)
        future.exception()  # seen: a question nobody waits for any more is no fault


def _answer(answer: bytes | BaseException) -> Answer:
    if isinstance(answer, bytes | DeviceRefused | LinkTimeout):
        return answer
    raise answer
