"""A client of VictronConnect's protocol as a stranger would write it: bumble and bytes, and nothing of Bluewatt.

It knows the protocol from its description only, so what our own session believes is not in here: an emulated device
that pleases both pleases more than ourselves. Register numbers stand high byte first, contents low byte first.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import NamedTuple

from bumble.device import Connection, Device, Peer
from bumble.gatt_client import CharacteristicProxy
from bumble.hci import Address
from bumble.pairing import PairingConfig, PairingDelegate

PATIENCE = 60.0
"""Seconds after which a test is broken, not slow."""

SERVICES = ("306b0001-b081-4037-83dc-e59fcc3cdfd0", "306b0001-b081-4037-83dc-e59fcc3cdfd1")
CONTROL, LAST, BULK = "306b0002", "306b0003", "306b0004"
PIN, PUK = "97580003-ddf1-48be-b73e-182664615d8e", "97580006-ddf1-48be-b73e-182664615d8e"

GET, SET = 0x05, 0x06
GET_ALTERNATE, SET_ALTERNATE = 0x25, 0x26
KEEP_ALIVE = bytes.fromhex("0600821893421027")
"""Ten seconds, as VictronConnect writes it."""


# requests


def number(value: int) -> bytes:
    """An unsigned CBOR number of up to 16 bits, shortest form."""
    if value < 24:
        return bytes([value])
    return bytes([0x18, value]) if value < 256 else b"\x19" + value.to_bytes(2, "big")


def text(content: bytes) -> bytes:
    """A CBOR byte string."""
    return (bytes([0x40 + len(content)]) if len(content) < 24 else bytes([0x58, len(content)])) + content


def array(items: list[bytes], *, indefinite: bool = False) -> bytes:
    """A CBOR array of up to 23 items, with a count or with an end mark."""
    assert len(items) < 24
    return b"\x9f" + b"".join(items) + b"\xff" if indefinite else bytes([0x80 + len(items)]) + b"".join(items)


def get(instance: int, *registers: int, indefinite: bool = False, opcode: int = GET) -> bytes:
    """Asks for registers."""
    return bytes([opcode, instance]) + array([number(register) for register in registers], indefinite=indefinite)


def put(instance: int, register: int, content: bytes, *, indefinite: bool = False, opcode: int = SET) -> bytes:
    """Writes a register."""
    return bytes([opcode, instance]) + array([number(register), text(content)], indefinite=indefinite)


def subscribe(instance: int) -> bytes:
    """Asks for every change of an instance."""
    return bytes([0x03, instance])


# answers


class Instances(NamedTuple):
    """Which instances there are, each with its kind."""

    pairs: tuple[tuple[int, int], ...]


class Answer(NamedTuple):
    """Word about a request; `opcode` is the byte that was echoed."""

    item: int
    opcode: int
    code: int


class Value(NamedTuple):
    """The content of a register."""

    instance: int
    register: int
    content: bytes


class Refusal(NamedTuple):
    """Why there is no content."""

    instance: int
    register: int
    code: int


Record = Instances | Answer | Value | Refusal


def records(message: bytes) -> list[Record]:
    """What a whole message of a device says; ValueError, KeyError or IndexError for one that does not parse."""
    found: list[Record] = []
    at = 0
    while at < len(message):
        record, at = _READ[message[at]](message, at + 1)
        found.append(record)
    return found


def _number(data: bytes, at: int) -> tuple[int, int]:
    first = data[at]
    if first < 24:
        return first, at + 1
    end = at + 1 + {0x18: 1, 0x19: 2}[first]
    if end > len(data):
        raise ValueError("the message ends inside a number")
    return int.from_bytes(data[at + 1 : end], "big"), end


def _text(data: bytes, at: int) -> tuple[bytes, int]:
    size, start = (data[at + 1], at + 2) if data[at] == 0x58 else (data[at] - 0x40, at + 1)
    if not size >= 0 or start + size > len(data):
        raise ValueError("the message ends inside a content")
    return data[start : start + size], start + size


def _instances(data: bytes, at: int) -> tuple[Record, int]:
    if data[at] != 0x9F:
        raise ValueError("the list of instances was never seen with a count")
    flat, at = [], at + 1
    while data[at] != 0xFF:
        one, at = _number(data, at)
        flat.append(one)
    return Instances(tuple(zip(flat[::2], flat[1::2], strict=True))), at + 1


def _answer(data: bytes, at: int) -> tuple[Record, int]:
    item, at = _number(data, at)
    opcode = data[at]  # as it was sent: 0x25 is no unsigned number
    code, at = _number(data, at + 1)
    return Answer(item, opcode, code), at


def _value(data: bytes, at: int) -> tuple[Record, int]:
    instance, at = _number(data, at)
    register, at = _number(data, at)
    content, at = _text(data, at)
    return Value(instance, register, content), at


def _refusal(data: bytes, at: int) -> tuple[Record, int]:
    instance, at = _number(data, at)
    register, at = _number(data, at)
    code, at = _number(data, at)
    return Refusal(instance, register, code), at


_READ = {0x02: _instances, 0x07: _answer, 0x08: _value, 0x09: _refusal}


# the connection


class _Keyboard(PairingDelegate):
    """Somebody who types the PIN, or has none."""

    def __init__(self, pin: str | None) -> None:
        super().__init__(PairingDelegate.IoCapability.KEYBOARD_INPUT_ONLY)
        self._pin = pin

    async def get_number(self) -> int | None:
        return None if self._pin is None else _Passkey(self._pin)


class _Passkey(int):
    """bumble takes the passkey 0 for none."""

    def __bool__(self) -> bool:
        return True


class Central:
    """One connection: `say` sends records in one message, `heard` holds each message that came, in order."""

    def __init__(
        self, connection: Connection, peer: Peer, mtu: int, parts: dict[str, CharacteristicProxy[bytes]]
    ) -> None:
        self.connection = connection
        self.mtu = mtu
        self.header = b""
        self.heard: list[bytes] = []
        self.controls: list[bytes] = []
        """What the control characteristic notified."""
        self.values: dict[tuple[int, int], bytes | int] = {}
        """The last content or refusal code of each instance and register."""
        self.connected = True
        self._peer = peer
        self._parts = parts
        self._buffer = b""
        self._slots = 0
        self._asked: set[tuple[int, int]] = set()
        self._news = asyncio.Event()
        self._saying = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        connection.on("disconnection", self._gone)

    async def open(self, *, keep_alive: bool = True) -> None:
        """Section 7 of the description: notifications, header, limits and first grant; then wait for the slot."""
        for part, characteristic in self._parts.items():
            await characteristic.subscribe(partial(self._hear, part))
        self.header = bytes(await self._parts[CONTROL].read_value())
        await self._control(b"\xfa\x80\xff")
        await self._control(b"\xf9\x80")
        await self.until(lambda: self._slots > 0)
        if keep_alive:
            self._run(self._keep_alive())

    async def close(self) -> None:
        """Leave."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self.connected:
            await self.connection.disconnect()

    async def say(self, *said: bytes) -> None:
        """Send these in one message, cut to chunks, once the device has a slot."""
        async with self._saying:
            await self.until(lambda: self._slots > 0)
            self._slots -= 1
            message = b"".join(said)
            while len(message) > self.chunk:
                await self._parts[BULK].write_value(message[: self.chunk], with_response=False)
                message = message[self.chunk :]
            await self._parts[LAST].write_value(message, with_response=False)

    @property
    def chunk(self) -> int:
        """Bytes in one chunk."""
        return min(self.mtu - 3, int.from_bytes(self.header[5:7], "little"))

    async def answers(self, *said: bytes, count: int) -> list[bytes]:
        """Send these and return the next `count` messages of the device; for connections without keep-alive."""
        before = len(self.heard)
        await self.say(*said)
        await self.until(lambda: len(self.heard) >= before + count)
        return self.heard[before : before + count]

    async def get(self, instance: int, *registers: int) -> list[bytes | int]:
        """The content of each register, or the code it was refused with."""
        wanted = [(instance, register) for register in registers]
        for start in range(0, len(wanted), 8):
            self._await(*wanted[start : start + 8])
            await self.say(get(instance, *registers[start : start + 8]))
        await self.until(lambda: all(key in self.values for key in wanted))
        return [self.values[key] for key in wanted]

    async def set(self, instance: int, register: int, content: bytes) -> bytes | int:
        """Write a register; what the device answered."""
        self._await((instance, register))
        await self.say(put(instance, register, content))
        await self.until(lambda: (instance, register) in self.values)
        return self.values[instance, register]

    async def subscribe(self, instance: int) -> int:
        """Ask for every change of an instance; the code of the answer."""
        record = await self._answer(subscribe(instance), lambda one: isinstance(one, Answer) and one.opcode == 0x03)
        assert isinstance(record, Answer)
        return record.code

    async def devices(self) -> tuple[tuple[int, int], ...]:
        """The instances with their kinds."""
        record = await self._answer(b"\x01", lambda one: isinstance(one, Instances))
        assert isinstance(record, Instances)
        return record.pairs

    async def _answer(self, said: bytes, wanted: Callable[[Record], bool]) -> Record:
        before = len(self.heard)

        def found() -> list[Record]:
            return [record for message in self.heard[before:] for record in records(message) if wanted(record)]

        await self.say(said)
        await self.until(lambda: bool(found()))
        return found()[0]

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until something that was heard makes it true."""
        async with asyncio.timeout(PATIENCE):
            while not condition():
                assert self.connected, "the device left"
                self._news.clear()
                await self._news.wait()

    async def until_gone(self) -> None:
        """Wait until the device leaves."""
        async with asyncio.timeout(PATIENCE):
            while self.connected:
                self._news.clear()
                await self._news.wait()

    # the second authentication

    async def unlock(self, pin: str, *, crc: bool = True) -> tuple[bytes, bytes]:
        """Answer a nonce with its CRC and one with the PIN (section 10); what the device said to each."""
        said: asyncio.Queue[bytes] = asyncio.Queue()
        puk, door = self._by_uuid(PUK), self._by_uuid(PIN)
        await puk.subscribe(lambda data: said.put_nowait(bytes(data)))
        await door.subscribe(lambda data: said.put_nowait(bytes(data)))
        nonce = bytes(await puk.read_value())
        await puk.write_value((zlib.crc32(nonce) ^ (not crc)).to_bytes(4, "little"), with_response=True)
        first = await asyncio.wait_for(said.get(), PATIENCE)
        nonce = bytes(await puk.read_value())
        await door.write_value(nonce + int(pin).to_bytes(4, "little"), with_response=True)
        return first, await asyncio.wait_for(said.get(), PATIENCE)

    def _by_uuid(self, uuid: str) -> CharacteristicProxy[bytes]:
        listed = [one for service in self._peer.services for one in service.characteristics]
        return next(one for one in listed if _text_of(one) == uuid)

    # bytes in and out

    def _await(self, *keys: tuple[int, int]) -> None:
        for key in keys:
            self.values.pop(key, None)
            self._asked.add(key)

    def _hear(self, part: str, data: bytes) -> None:
        if part == CONTROL:
            self.controls.append(bytes(data))
            self._slots += data[1] if data[0] == 0xF9 else 0
        else:
            self._buffer += data
            if part == LAST:
                self._take(self._buffer)
                self._buffer = b""
        self._news.set()

    def _take(self, message: bytes) -> None:
        self.heard.append(message)
        for record in records(message):
            if isinstance(record, Value):
                self.values[record.instance, record.register] = record.content
            elif isinstance(record, Refusal):
                self.values[record.instance, record.register] = record.code
            elif isinstance(record, Answer) and record.code:
                self.values |= {key: record.code for key in self._asked if key[1] == record.item}
        if len(self.heard) % 65 == 0:
            self._run(self._control(b"\xf9\x41"))

    async def _control(self, data: bytes) -> None:
        await self._parts[CONTROL].write_value(data, with_response=False)

    async def _keep_alive(self) -> None:
        while True:
            await self.say(KEEP_ALIVE)
            await asyncio.sleep(3.3)

    def _run(self, action: object) -> None:
        task = asyncio.ensure_future(action)  # type: ignore[call-overload]
        self._tasks.add(task)

    def _gone(self, reason: int) -> None:
        self.connected = False
        self._news.set()


def _text_of(characteristic: CharacteristicProxy[bytes]) -> str:
    return str(characteristic.uuid).lower()


@asynccontextmanager
async def visit(
    device: Device, address: str, *, pin: str | None, pair: bool = True, service: str = SERVICES[0],
    keep_alive: bool = True,
) -> AsyncIterator[Central]:  # fmt: skip
    """Connect a powered-on bumble device to an address, pair or use the bond, and open a session; then leave."""
    own = device.pairing_config_factory
    device.pairing_config_factory = lambda connection: PairingConfig(
        sc=True, mitm=True, bonding=True, identity_address_type=PairingConfig.AddressType.RANDOM,
        delegate=_Keyboard(pin),
    )  # fmt: skip
    connection = await device.connect(Address(address, Address.RANDOM_DEVICE_ADDRESS), timeout=PATIENCE)
    try:
        if device.keystore is not None and await device.keystore.get(str(connection.peer_address)):
            await connection.encrypt()
        elif pair:
            await connection.pair()
        peer = Peer(connection)
        mtu = await peer.request_mtu(517)
        for found in await peer.discover_services():
            await found.discover_characteristics()
        listed = next(one for one in peer.services if str(one.uuid).lower() == service)
        parts = {_text_of(one)[:8]: one for one in listed.characteristics}
        central = Central(connection, peer, mtu, {part: parts[part] for part in (CONTROL, LAST, BULK)})
        await central.open(keep_alive=keep_alive)
    except BaseException:
        device.pairing_config_factory = own
        await connection.disconnect()
        raise
    try:
        yield central
    finally:
        device.pairing_config_factory = own
        await central.close()
