"""A client of an emulated device: bleak on the virtual radio and the session machine, nothing else of ours."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import pytest
from bleak import BleakClient

from bluewatt.app.emulate import Emulator, Plan
from bluewatt.services.simulator import DEFAULT_START
from bluewatt.tables.gatt import DATA_SERVICE, Characteristic
from bluewatt.transports.virtual import VirtualRadio
from bluewatt.transports.virtual_bleak import VirtualAdapter
from bluewatt.wire.reassembly import ProtocolError
from bluewatt.wire.session import Session
from bluewatt.wire.session_client import KEEP_ALIVE, ClientSide
from bluewatt.wire.vreg import DeviceList, GetDevices, GetValues, SetValues, Subscribe, Value, ValueResponse

PATIENCE = 5.0


class Talk:
    """A session with a device over bleak: questions by instance and register, answers as bytes or refusal codes."""

    def __init__(self, client: BleakClient, service: str, keep_alive: float | None, indefinite: bool) -> None:
        self.client = client
        self.side = ClientSide(keep_alive=keep_alive, indefinite=indefinite)
        self.session = Session(self.side)
        self.events: list[Any] = []
        self.answers: dict[tuple[int, int], bytes | int] = {}
        self._service = service
        self._news = asyncio.Event()
        self._outbox: asyncio.Queue[Any] = asyncio.Queue()

    async def open(self) -> None:
        for characteristic in Characteristic:
            await self.client.start_notify(self._uuid(characteristic), partial(self._hear, characteristic))
        self.side.read_header(bytes(await self.client.read_gatt_char(self._uuid(Characteristic.CONTROL))))
        self.session.mtu = self.client.mtu_size
        self._put(self.session.open(self._now()))

    def _uuid(self, characteristic: Characteristic) -> str:
        return characteristic.uuid_in(self._service)

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()

    def _hear(self, characteristic: Characteristic, sender: Any, data: bytearray) -> None:
        for event in self.session.receive(characteristic, bytes(data), self._now()):
            assert not isinstance(event, ProtocolError), event
            self.events.append(event)
            if isinstance(event, Value):
                self.answers[event.instance, event.register] = event.value
            elif isinstance(event, ValueResponse):
                self.answers[event.instance, event.register] = event.code
        self._put(self.session.take_writes())
        self._news.set()

    def _put(self, writes: Sequence[Any]) -> None:
        for write in writes:
            self._outbox.put_nowait(write)

    async def write_out(self) -> None:
        while True:
            write = await self._outbox.get()
            await self.client.write_gatt_char(self._uuid(write.characteristic), write.data, response=False)

    async def keep_time(self) -> None:
        while True:
            await asyncio.sleep(0.05)
            self.session.on_time(self._now())
            self._put(self.session.take_writes())

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not condition():
                self._news.clear()
                await self._news.wait()

    async def subscribe(self, instance: int) -> None:
        self.answers.clear()
        self._put(self.session.send(Subscribe(instance), self._now()))

    async def devices(self) -> tuple[tuple[int, int], ...]:
        """The instances the device lists, with their kinds."""
        self._put(self.session.send(GetDevices(), self._now()))
        await self.until(lambda: any(isinstance(event, DeviceList) for event in self.events))
        return next(event.pairs for event in self.events if isinstance(event, DeviceList))

    async def get(self, instance: int, *registers: int) -> list[bytes | int]:
        """The content of each register, or the code it was refused with."""
        wanted = [(instance, register) for register in registers]
        for key in wanted:
            self.answers.pop(key, None)
        for start in range(0, len(registers), 8):
            self._put(self.session.send(GetValues(instance, registers[start : start + 8]), self._now()))
        await self.until(lambda: all(key in self.answers for key in wanted))
        return [self.answers[key] for key in wanted]

    async def set(self, instance: int, register: int, value: bytes) -> bytes | int:
        """Write a register; what the device answered."""
        self.answers.pop((instance, register), None)
        self._put(self.session.send(SetValues(instance, ((register, value),)), self._now()))
        await self.until(lambda: (instance, register) in self.answers)
        return self.answers[instance, register]


class Emulating(Protocol):
    def __call__(self, radio: VirtualRadio, *plans: Plan, state: Path | None = None, **more: Any) -> Emulator: ...


@pytest.fixture
def emulator() -> Emulating:
    """The devices of some plans on a radio; the same ones in every test."""

    def emulating(radio: VirtualRadio, *plans: Plan, state: Path | None = None, **more: Any) -> Emulator:
        return Emulator(plans, radio=radio, seed=5, start=DEFAULT_START, state=state, **more)

    return emulating


class Talking(Protocol):
    def __call__(
        self, adapter: VirtualAdapter, address: str, *, service: str = DATA_SERVICE, pair: bool = True,
        keep_alive: float | None = KEEP_ALIVE, indefinite: bool = False, instance: int | None = 3,
    ) -> AbstractAsyncContextManager[Talk]: ...  # fmt: skip


@pytest.fixture
def talk() -> Talking:
    """Connect, pair, open a session and subscribe to the data instance; an async context manager."""

    @asynccontextmanager
    async def talking(
        adapter: VirtualAdapter, address: str, *, service: str = DATA_SERVICE, pair: bool = True,
        keep_alive: float | None = KEEP_ALIVE, indefinite: bool = False, instance: int | None = 3,
    ) -> AsyncIterator[Talk]:  # fmt: skip
        async with BleakClient(address, backend=adapter.client, timeout=5, pair=pair) as client:
            talk = Talk(client, service, keep_alive, indefinite)
            await talk.open()
            tasks = [asyncio.create_task(talk.write_out()), asyncio.create_task(talk.keep_time())]
            try:
                if instance is not None:
                    await talk.subscribe(instance)
                yield talk
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    return talking


@pytest.fixture
async def radio() -> AsyncIterator[VirtualRadio]:
    async with VirtualRadio() as radio:
        yield radio


@pytest.fixture
async def adapter(radio: VirtualRadio) -> AsyncIterator[VirtualAdapter]:
    async with VirtualAdapter(radio, pin="000000") as adapter:
        yield adapter
