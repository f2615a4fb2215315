"""A link to one device: find it, dial it, pair or use the bond, and read its registers.

    async with BleLink(Central(), Wanted.of("AA:BB:CC:DD:EE:FF"), pin="014916") as link:
        voltage = await link.get("battery_voltage")

What every failure means stands in one sentence of `ble_words`; the protocol is the session's (`ble_vreg`, or
`ble_shunt` where a SmartShunt offers its documented service alone).
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from types import TracebackType
from typing import Self

from bleak import BleakClient

from bluewatt.errors import DeviceRefused, LinkLost, LinkTimeout, Malformed, PairingFailed, Unencodable
from bluewatt.model.reading import Device
from bluewatt.model.registers import RegisterReading, RegisterValue, explain_register
from bluewatt.tables.gatt import DATA_INSTANCE, DEFAULT_DATA_INSTANCE, KEEP_ALIVE_INSTANCE, ResultCode
from bluewatt.tables.products import family_of
from bluewatt.tables.registers import by_key, by_metric, by_name
from bluewatt.transports.ble_central import Central, Nearby, Wanted
from bluewatt.transports.ble_channel import FIND, NEAREST, Answer, Channel, Clock, Stream
from bluewatt.transports.ble_pairing import Notice, pairing_of
from bluewatt.transports.ble_shunt import ShuntChannel
from bluewatt.transports.ble_unlock import unlock
from bluewatt.transports.ble_vreg import VregChannel
from bluewatt.transports.ble_words import (
    LinkErrors,
    bond_lost,
    is_unpaired,
    link_lost,
    not_connected,
    pin_needed,
    unknown_name,
)
from bluewatt.transports.ble_writer import BleWriter
from bluewatt.wire.session_client import ClientSide

RADIO_INSTANCE = KEEP_ALIVE_INSTANCE
"""The instance of the Bluetooth part: names, key, networking."""

DROPS = 3
"""Connections with a bond that end while they are set up, before the bond is taken for lost."""

INDEFINITE_FIRST = frozenset({"charger"})
"""Families asked in the indefinite array dialect first: some of their devices are silent to the other (section 0, fact
9, single source), and silence costs seconds. The session tries the other one where this guess is wrong."""

_PRODUCT = "product_id"
_ADAPTERS = frozenset({"interface", "other"})
"""Families whose advertised product is an interface to the real device."""

Place = tuple[int, int]
"""Instance and register."""


class BleLink:
    """The port `Link` over Bluetooth; see the module for its use.

    Entering raises DeviceNotFound, AdapterUnavailable, PairingFailed, LinkLost or LinkTimeout. `pin` is typed when the
    device is not bonded yet, or has forgotten its bond. `documented` prefers the SmartShunt's documented service.
    `find` and `nearest` are seconds of listening; `side` and `clock` are for tests and impatient programs. The link
    reads and cannot write; `writer` is told the channel of each connection, for whoever guards writing.
    """

    def __init__(
        self,
        central: Central,
        wanted: Wanted,
        *,
        pin: str | None = None,
        documented: bool = False,
        find: float = FIND,
        nearest: float = NEAREST,
        side: ClientSide | None = None,
        clock: Clock | None = None,
        notice: Notice | None = None,
        stamp: Callable[[], float] = time.time,
        writer: BleWriter | None = None,
    ) -> None:
        self._central = central
        self._wanted = wanted
        self._pin = pin
        self._documented = documented
        self._find_seconds = find
        self._nearest_seconds = nearest
        self._side = side
        self._clock = clock
        self._pairing = pairing_of(central, notice)
        self._notice = notice
        self._stamp = stamp
        self._writer = writer
        self._client: BleakClient | None = None
        self._channel: Channel | None = None
        self._nearby: Nearby | None = None
        self._product_id: int | None = None
        self._instances: tuple[tuple[int, int], ...] = ()
        self._serial: str | None = None
        self._closing = False
        self._lost: LinkLost | None = None
        self._dialling: asyncio.Task[BleakClient] | None = None
        self._drops = 0
        self._bonded = False
        self._streams: list[Stream] = []

    # who it is

    @property
    def nearby(self) -> Nearby:
        """The device as it was heard."""
        if self._nearby is None:
            raise RuntimeError("the link is not open")
        return self._nearby

    @property
    def device(self) -> Device:
        """Its address, its serial number once that was read, its name and product."""
        address = self.nearby.address
        return Device(self._serial or address, address, self.nearby.name, self._product_id)

    @property
    def family(self) -> str | None:
        """The family in the register table."""
        return family_of(self._product_id)

    @property
    def data_instance(self) -> int:
        """The family's instance; where the device lists others, one that it lists."""
        wanted = DATA_INSTANCE.get(self.family or "", DEFAULT_DATA_INSTANCE)
        listed = [instance for instance, _ in self._instances]
        return wanted if wanted in listed or not listed else max(listed)

    # open and close

    async def __aenter__(self) -> Self:
        try:
            async with self._central.dialling:
                await self._connect()
            await self._begin()
        except BaseException:
            await self._hang_up()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._hang_up()

    async def _connect(self) -> None:
        self._nearby = await self._central.find(self._wanted, seconds=self._find_seconds, nearest=self._nearest_seconds)
        self._product_id = self._nearby.product_id
        if self._nearby.refuses and self._notice:
            self._notice(
                f"{self._nearby.label} says that it takes no connection now: it is probably connected to an app or"
                " another program; trying all the same"
            )
        bonded = await self._pairing.bonded(self._nearby)
        if not bonded and self._pin is None:
            # Not even dialled: BlueZ would try to pair without an agent and take twenty seconds to give up.
            raise pin_needed(self._nearby.label)
        try:
            await self._connect_once(bonded=bonded)
        except PairingFailed as error:
            if error.reason != "bond" or self._pin is None:
                raise
            await self._pair_again()

    async def _pair_again(self) -> None:
        """Our bond is worth nothing to the device: drop it, hear the device again, pair."""
        client, self._client = self._client, None
        await self._pairing.forget(client, self.nearby)
        await _disconnect(client)
        wanted = Wanted(address=self.nearby.address)
        self._nearby = await self._central.find(wanted, seconds=self._find_seconds)
        await self._connect_once(bonded=False)

    async def _connect_once(self, *, bonded: bool) -> None:
        await self._dial(bonded=bonded)
        assert self._client
        if not bonded and self._pin is not None:
            await self._pairing.pair(self._client, self.nearby, self._pin)
        self._channel = self._make_channel(self._client)
        if self._writer:
            self._writer.channel = self._channel
        await self._let_in(bonded=bonded)

    async def _dial(self, *, bonded: bool) -> None:
        self._lost, self._drops, self._bonded = None, 0, bonded
        self._dialling = asyncio.create_task(self._central.dial(self.nearby, self._on_disconnected), name="dial")
        try:
            self._client = await self._dialling
        except asyncio.CancelledError:
            if not self._bond_refused or _asked_to_end():
                raise
            raise bond_lost(self.nearby.label) from None
        except LinkErrors as error:
            # It was heard a moment ago; that a connection with a bond fails most likely means that the bond is lost.
            if bonded and not isinstance(error, TimeoutError):
                raise bond_lost(self.nearby.label) from error
            raise not_connected(self.nearby.label, error) from error

    @property
    def _bond_refused(self) -> bool:
        """Whether the device dropped connection after connection while it was dialled with the bond.

        BlueZ would go on trying for a minute: to it, this looks like bad reception.
        """
        return self._bonded and self._drops >= DROPS

    async def _let_in(self, *, bonded: bool) -> None:
        """The first protected read shows whether the device lets us in."""
        assert self._channel
        try:
            async with asyncio.timeout(FIND):
                await self._channel.read_header()
        except (Malformed, *LinkErrors) as error:
            name = self.nearby.label
            if isinstance(error, TimeoutError):
                raise not_connected(name, error) from error
            if is_unpaired(error) or isinstance(error, Malformed):
                raise (bond_lost(name) if bonded else pin_needed(name)) from error
            raise (bond_lost(name) if bonded and self._lost else link_lost(name)) from error

    def _make_channel(self, client: BleakClient) -> Channel:
        name = self.nearby.label
        if ShuntChannel.serves(client) and (self._documented or not VregChannel.serves(client)):
            return ShuntChannel(client, name, instance=DEFAULT_DATA_INSTANCE, told=self._told, clock=self._clock)
        if not VregChannel.serves(client):
            raise LinkLost(
                f"{name} lists neither VictronConnect's service nor the SmartShunt's: it does not speak to programs"
            )
        side = self._side or ClientSide(indefinite=self.family in INDEFINITE_FIRST)
        return VregChannel(client, name, told=self._told, side=side, clock=self._clock)

    async def _begin(self) -> None:
        assert self._channel
        try:
            await self._channel.open()
        except LinkErrors as error:
            raise (pin_needed if is_unpaired(error) else link_lost)(self.nearby.label) from error
        self._instances = await self._channel.devices()
        for instance in sorted({RADIO_INSTANCE, self.data_instance}):
            await self._channel.subscribe(instance)
        if self.family is None or self.family in _ADAPTERS:
            await self._ask_product()

    async def _ask_product(self) -> None:
        """An interface advertises itself; the product behind it is told by a register."""
        with contextlib.suppress(DeviceRefused, LinkTimeout):
            told = (await self.get(_PRODUCT, self.data_instance)).value
            if told and told.get("product_id"):
                self._product_id = int(told["product_id"])

    async def _hang_up(self) -> None:
        self._closing = True
        if self._channel:
            await self._channel.close()
        client, self._client = self._client, None
        await _disconnect(client)
        for stream in self._streams:
            stream.end(LinkLost(f"the connection to {self._wanted} was closed"))

    def _on_disconnected(self, client: BleakClient) -> None:
        if self._client is None:
            self._drops += 1
            if self._bond_refused and self._dialling:
                self._dialling.cancel()
        if self._closing or client is not self._client:
            return
        self._lost = link_lost(self.nearby.label)
        if self._channel:
            self._channel.lost(self._lost)
        for stream in self._streams:
            stream.end(self._lost)

    # the port

    async def get(self, register: str | int, instance: int | None = None) -> RegisterValue:
        """Read one register; DeviceRefused, LinkTimeout, LinkLost, Unencodable for an unknown name."""
        (found,) = await self.get_many((register,), instance)
        if isinstance(found, Exception):
            raise found
        return found

    async def get_many(
        self, registers: Iterable[str | int], instance: int | None = None
    ) -> list[RegisterValue | DeviceRefused | LinkTimeout]:
        """Read registers; where one is not on the data instance it is looked for on the radio's, then its next best."""
        places = [self._places(register, instance) for register in registers]
        found: list[RegisterValue | DeviceRefused | LinkTimeout | None] = [None] * len(places)
        for turn in range(max(map(len, places), default=0)):
            asked = {index: tries[turn] for index, tries in enumerate(places) if _goes_on(found[index], turn, tries)}
            answers = await self._ask(asked.values())
            for index, place in asked.items():
                found[index] = self._explained(place, answers[place])
        return [one for one in found if one is not None]

    async def subscribe(self) -> AsyncGenerator[RegisterReading, None]:
        """What the device tells from now on, a reading per value; LinkLost ends it."""
        stream = Stream()
        if self._lost:
            stream.end(self._lost)
        self._streams.append(stream)
        try:
            while True:
                yield await stream.next()
        finally:
            self._streams.remove(stream)

    async def devices(self) -> tuple[tuple[int, int], ...]:
        """The instances as the device listed them when the link was opened."""
        return self._instances

    async def unlock(self, pin: str) -> bool:
        """The second authentication by nonce (section 10, single source)."""
        if self._client is None:
            raise self._lost or LinkLost("the link is not open")
        return await unlock(self._client, pin, self.nearby.label)

    def know_serial(self, serial: str) -> None:
        """The serial number was read: it is the device's identity from here on."""
        self._serial = serial or None

    # how

    def _open_channel(self) -> Channel:
        if self._lost:
            raise self._lost
        if self._channel is None or self._client is None:
            raise LinkLost("the link is not open")
        return self._channel

    def _places(self, register: str | int, instance: int | None) -> list[Place]:
        """Where to look for a register, best first."""
        own = self.data_instance
        instances = [instance] if instance is not None else list(dict.fromkeys((own, RADIO_INSTANCE)))
        numbers = [register] if isinstance(register, int) else self._numbers(register)
        return [(where, number) for number in numbers for where in instances]

    def _numbers(self, name: str) -> list[int]:
        measuring = [row.id for row in by_metric(name, self.family)]
        one = by_key(name, self.family) or by_name(name, self.family)
        numbers = measuring or ([one.id] if one else [])
        if not numbers and name[:2].lower() == "0x":
            with contextlib.suppress(ValueError):
                return [int(name, 16)]
        if not numbers:
            raise Unencodable(unknown_name(name, self.family))
        return numbers

    async def _ask(self, places: Iterable[Place]) -> dict[Place, Answer]:
        channel = self._open_channel()
        by_instance: dict[int, list[int]] = {}
        for instance, register in dict.fromkeys(places):
            by_instance.setdefault(instance, []).append(register)
        answers: dict[Place, Answer] = {}
        for instance, wanted in by_instance.items():
            told = await channel.ask(instance, wanted)
            answers |= {(instance, register): answer for register, answer in told.items()}
        return answers

    def _explained(self, place: Place, answer: Answer) -> RegisterValue | DeviceRefused | LinkTimeout:
        if not isinstance(answer, bytes):
            return answer
        return explain_register(place[1], answer, self.family, instance=place[0])

    def _told(self, instance: int, register: int, raw: bytes) -> None:
        if self._streams:
            value = explain_register(register, raw, self.family, instance=instance)
            reading = RegisterReading(self.device, self._stamp(), self._central.origin, "gatt", (value,))
            for stream in self._streams:
                stream.put(reading)


def _goes_on(found: object, turn: int, tries: Sequence[Place]) -> bool:
    """Whether a register is still to be looked for at its next place."""
    if turn >= len(tries):
        return False
    return turn == 0 or (isinstance(found, DeviceRefused) and found.code == ResultCode.UNKNOWN_REGISTER)


async def _disconnect(client: BleakClient | None) -> None:
    with contextlib.suppress(*LinkErrors):
        if client:
            await client.disconnect()


def _asked_to_end() -> bool:
    """Whether the running task was cancelled itself, not just what it waits for."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
