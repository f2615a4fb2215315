"""A link to one device: find it, dial it, pair or use the bond, and read its registers.

    async with BleLink(Central(), DeviceQuery.of("AA:BB:CC:DD:EE:FF"), pin="014916") as link:
        voltage = await link.get("battery_voltage")

Every failure is one sentence of `link_errors`. The protocol is in `victronconnect`, or in `smartshunt` if a SmartShunt
offers its documented service alone.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from types import TracebackType
from typing import Self

from bleak import BleakClient

from bluewatt.errors import DeviceRefused, LinkLost, LinkTimeout, Unencodable
from bluewatt.model.display import register_text
from bluewatt.model.identity import Device
from bluewatt.model.register_values import RegisterReading, RegisterValue, explain_register
from bluewatt.tables.gatt import DATA_INSTANCE, DEFAULT_DATA_INSTANCE, KEEP_ALIVE_INSTANCE, ResultCode
from bluewatt.tables.products import family_of
from bluewatt.tables.registers import by_key, by_metric, by_name
from bluewatt.transports.ble.central import Central, DeviceQuery, NearbyDevice
from bluewatt.transports.ble.channel import FIND, NEAREST, Answer, Channel, Clock, Stream
from bluewatt.transports.ble.dialler import Dialler, disconnect
from bluewatt.transports.ble.link_errors import LinkErrors, is_unpaired, link_lost, pin_needed, unknown_name
from bluewatt.transports.ble.pairing import Notice, pairing_of
from bluewatt.transports.ble.smartshunt import ShuntChannel
from bluewatt.transports.ble.unlock import unlock
from bluewatt.transports.ble.victronconnect import VregChannel
from bluewatt.transports.ble.writer import BleWriter
from bluewatt.wire.victronconnect.client import ClientSide
from bluewatt.wire.victronconnect.messages import RegisterAddress

RADIO_INSTANCE = KEEP_ALIVE_INSTANCE
"""The instance of the Bluetooth part: names, key, networking."""

INDEFINITE_FIRST = frozenset({"charger"})
"""Families asked in the indefinite array dialect first: some of their devices are silent to the other (section 0, fact
9, single source), and silence costs seconds. The session tries the other one where this guess is wrong."""

_PRODUCT = "product_id"
_ADAPTERS = frozenset({"interface", "other"})
"""Families whose advertised product is an interface to the real device."""


_log = logging.getLogger(__name__)


class BleLink:
    """The port `Link` over Bluetooth; see the module for its use.

    Entering raises DeviceNotFound, AdapterUnavailable, PairingFailed, LinkLost or LinkTimeout. `pin` is typed when the
    device is not bonded yet, or has forgotten its bond. `documented` prefers the SmartShunt's documented service.
    `find` and `nearest` are seconds of listening; `side` and `clock` are for tests and for programs that replace the
    protocol's side or its time. The link reads and cannot write; `writer` gets the channel of each connection.
    """

    def __init__(
        self,
        central: Central,
        wanted: DeviceQuery,
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
        self._notice = notice
        self._stamp = stamp
        self._writer = writer
        self._client: BleakClient | None = None
        self._channel: Channel | None = None
        self._nearby: NearbyDevice | None = None
        self._product_id: int | None = None
        self._instances: tuple[tuple[int, int], ...] = ()
        self._serial: str | None = None
        self._closing = False
        self._lost: LinkLost | None = None
        self._streams: list[Stream] = []

    # identity

    @property
    def nearby(self) -> NearbyDevice:
        """The device as it was heard; RuntimeError before the link is open."""
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
            async with self._central.owner.dialling:
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
        dialler = Dialler(
            self._central, pairing_of(self._central, self._notice), pin=self._pin, find=self._find_seconds,
            make_channel=self._make_channel, lost=self._on_disconnected,
        )  # fmt: skip
        ready = await dialler.connect(self._nearby)
        self._client, self._channel = ready.client, ready.channel
        if not ready.client.is_connected:
            raise link_lost(self._nearby.label)
        if self._writer:
            self._writer.channel = self._channel

    def _make_channel(self, client: BleakClient) -> Channel:
        name = self.nearby.label
        if ShuntChannel.serves(client) and (self._documented or not VregChannel.serves(client)):
            return ShuntChannel(client, name, instance=DEFAULT_DATA_INSTANCE, on_value=self._publish, clock=self._clock)
        if not VregChannel.serves(client):
            raise LinkLost(
                f"{name} lists neither VictronConnect's service nor the SmartShunt's: it does not speak to programs"
            )
        side = self._side or ClientSide(indefinite=self.family in INDEFINITE_FIRST)
        return VregChannel(client, name, on_value=self._publish, side=side, clock=self._clock)

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
        """Read the product behind an interface, which advertises itself."""
        with contextlib.suppress(DeviceRefused, LinkTimeout):
            value = (await self.get(_PRODUCT, self.data_instance)).value
            if value and value.get("product_id"):
                self._product_id = int(value["product_id"])

    async def _hang_up(self) -> None:
        self._closing = True
        if self._channel:
            await self._channel.close()
        client, self._client = self._client, None
        await disconnect(client)
        for stream in self._streams:
            stream.end(LinkLost(f"the connection to {self._wanted} was closed"))

    def _on_disconnected(self, client: BleakClient) -> None:
        if self._closing or client is not self._client:
            return
        self._lost = link_lost(self.nearby.label)
        if self._channel:
            self._channel.lost(self._lost)
        for stream in self._streams:
            stream.end(self._lost)

    # the port Link

    async def get(self, register: str | int, instance: int | None = None) -> RegisterValue:
        """Read one register; DeviceRefused, LinkTimeout, LinkLost, Unencodable for an unknown name."""
        (found,) = await self.get_many((register,), instance)
        if isinstance(found, Exception):
            raise found
        return found

    async def get_many(
        self, registers: Iterable[str | int], instance: int | None = None
    ) -> list[RegisterValue | DeviceRefused | LinkTimeout]:
        """Read registers; one that the data instance does not have is looked for in its next best place."""
        places = [self._places(register, instance) for register in registers]
        found: list[RegisterValue | DeviceRefused | LinkTimeout | None] = [None] * len(places)
        for turn in range(max(map(len, places), default=0)):
            asked = {index: tries[turn] for index, tries in enumerate(places) if _goes_on(found[index], turn, tries)}
            answers = await self._ask(asked.values())
            for index, place in asked.items():
                found[index] = self._explained(place, answers[place])
        return [one for one in found if one is not None]

    async def subscribe(self) -> AsyncGenerator[RegisterReading, None]:
        """Yield what the device sends from now on, a reading per value; raises LinkLost when the connection ends."""
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
        """Return the instances as the device listed them when the link was opened."""
        return self._instances

    async def unlock(self, pin: str) -> bool:
        """Answer the second authentication, by nonce (section 10, single source); return whether it was accepted."""
        if self._client is None:
            raise self._lost or LinkLost("the link is not open")
        return await unlock(self._client, pin, self.nearby.label)

    def know_serial(self, serial: str) -> None:
        """Take the serial number that was read as the identity of the device."""
        self._serial = serial or None

    # asking

    def _open_channel(self) -> Channel:
        if self._lost:
            raise self._lost
        if self._channel is None or self._client is None:
            raise LinkLost("the link is not open")
        return self._channel

    def _places(self, register: str | int, instance: int | None) -> list[RegisterAddress]:
        """Return the places where a register may be, best first."""
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

    async def _ask(self, places: Iterable[RegisterAddress]) -> dict[RegisterAddress, Answer]:
        channel = self._open_channel()
        by_instance: dict[int, list[int]] = {}
        for instance, register in dict.fromkeys(places):
            by_instance.setdefault(instance, []).append(register)
        answers: dict[RegisterAddress, Answer] = {}
        for instance, wanted in by_instance.items():
            found = await channel.ask(instance, wanted)
            answers |= {(instance, register): answer for register, answer in found.items()}
        return answers

    def _explained(self, place: RegisterAddress, answer: Answer) -> RegisterValue | DeviceRefused | LinkTimeout:
        if not isinstance(answer, bytes):
            _log.debug("register 0x%04X: %s", place[1], answer)
            return answer
        value = explain_register(place[1], answer, self.family, instance=place[0])
        _log.debug("register 0x%04X of instance %d: %s %s %s", place[1], place[0], value.key, _Text(value), value.unit)
        return value

    def _publish(self, instance: int, register: int, raw: bytes) -> None:
        if self._streams:
            value = explain_register(register, raw, self.family, instance=instance)
            reading = RegisterReading(self.device, self._stamp(), self._central.origin, "gatt", (value,))
            for stream in self._streams:
                stream.put(reading)


class _Text:
    """The text of a register's value, made only if it is logged; keys and PINs stay hidden."""

    def __init__(self, value: RegisterValue) -> None:
        self._value = value

    def __str__(self) -> str:
        return register_text(self._value)


def _goes_on(found: object, turn: int, tries: Sequence[RegisterAddress]) -> bool:
    """Return whether a register is still to be looked for at its next place."""
    if turn >= len(tries):
        return False
    return turn == 0 or (isinstance(found, DeviceRefused) and found.code == ResultCode.UNKNOWN_REGISTER)
