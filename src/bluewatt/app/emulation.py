"""The wiring of `bluewatt emulate`: plant (simulated or fed) → register store → peripheral → radio.

    async with Emulator([EmulatedDeviceConfig(family="mppt")], "tcp-server:127.0.0.1:7001") as emulator: ...

Each device has two files in the state directory: what it remembers, and its bonds. Devices of one process belong to one
simulated site, so they agree with each other; a second device of the same family belongs to the next site.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec

from bluewatt.errors import ConfigError, Malformed
from bluewatt.extras import libraries_for
from bluewatt.secret import hide_fields
from bluewatt.services.chance import child_seed
from bluewatt.services.emulator import FAMILIES, EmulatedDevice, Family, FedValues, Memory, pin_text
from bluewatt.services.emulator.families import GENERATIONS
from bluewatt.services.emulator.feed import values_of_line, values_of_message
from bluewatt.services.plant import Plant
from bluewatt.services.simulator import Site
from bluewatt.services.simulator.clock import SiteClock
from bluewatt.tables.vesmart import DATA_PERIOD
from bluewatt.transports.background import Background
from bluewatt.transports.input_lines import lines
from bluewatt.transports.peripheral.peripheral import Peripheral
from bluewatt.transports.peripheral.radio import Broadcaster, open_peripheral_radio
from bluewatt.transports.virtual.radio import VirtualRadio
from bluewatt.wire.vesmart.broadcast import Network

PERIOD = 1.0
"""Seconds of the device's time between two records (measured on real devices)."""
SHORTEST_PERIOD = 0.05
"""Least real seconds between two records: an accelerated device does not flood the radio."""

_SITE_SIZE = 6
"""Number of the simulated site's devices: all that are emulated, and those they depend on."""

_LONGEST_VALUE = 40  # characters of a value in the sentence that it cannot be shown
_FAULTS = 100  # such sentences at most: a feed may go on for years


class EmulatedDeviceConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The configuration of an emulated device. What is None is as remembered, else as the family has it."""

    family: str
    name: str | None = None
    pin: str | None = None
    generation: str = "new"
    mtu: int | None = None
    key_behind_puk: bool = False
    keep_alive: float | None = None
    """Seconds after which a client that writes no keep-alive is disconnected; infinity for never."""

    def __post_init__(self) -> None:
        hide_fields(self, "pin")


class Running(msgspec.Struct):
    """An emulated device on the air."""

    device: EmulatedDevice
    peripheral: Peripheral
    broadcaster: Broadcaster | None = None


class Emulator:
    """Emulated devices on one radio, from entering to leaving.

    `transport` is a string of `open_peripheral_radio`; `radio` a virtual radio to share. `seed` makes the same devices
    and the same weather again; without it a device stays who its file in `state` says. `start` and `speed` are of the
    simulated time. With `fed` the values come from `feed`, not from the simulator. Raises ConfigError for a plan that
    cannot be, AdapterUnavailable where the radio does not open. What ends a device or the radio later interrupts the
    body of the `async with` at once, and is raised.
    """

    def __init__(
        self, plans: Sequence[EmulatedDeviceConfig], transport: str = "virtual", *, radio: VirtualRadio | None = None,
        state: Path | None = None, seed: int | None = None, start: float | None = None, speed: float = 1.0,
        fed: bool = False, network: Network | None = None, transmit: bool = False,
    ) -> None:  # fmt: skip
        self.air = open_peripheral_radio(transport, radio=radio)
        if network and self.air.real and not transmit:
            raise ConfigError(
                "VE.Smart broadcasts on a real radio can make real chargers overcharge a battery",
                hint="leave --vesmart out, or insist with --transmit",
            )
        self.clock = SiteClock(time.time() if start is None else start, speed)
        self.running: list[Running] = []
        self._plans = _numbered(plans)
        self._state = state
        self._seed = seed
        self._fed = fed
        self._network = network
        self._sites: dict[int, Site] = {}
        self._open = AsyncExitStack()
        self.devices: list[EmulatedDevice] = [self._device(plan, number) for plan, number in self._plans]
        """In the order of the plans; on the air after entering."""

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self.air)
            for device, (plan, number) in zip(self.devices, self._plans, strict=True):
                await self._put_on_air(stack, device, self._bonds(plan, number))
            tasks = await stack.enter_async_context(Background())
            tasks.start(self._refresh(), name="refresh")
            for running in self.running:
                if running.broadcaster:
                    tasks.start(self._broadcast(running.device, running.broadcaster), name="broadcast")
            self._open = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._open.__aexit__(kind, error, trace)

    def feed(self, values: Mapping[str, Any]) -> list[str]:
        """Give all fed devices these values, by metric key; return the keys of values that one of them cannot show."""
        odd: dict[str, None] = {}
        for running in self.running:
            if isinstance(running.device.plant, FedValues):
                odd |= dict.fromkeys(running.device.plant.feed(values))
                running.peripheral.refresh()
        return list(odd)

    async def feed_from(
        self, source: AsyncIterator[Mapping[str, Any]], problem: Callable[[str], None] = lambda sentence: None
    ) -> None:
        """Feed until the source ends; `problem` is called once for each value that cannot be shown."""
        reported: set[tuple[str, str]] = set()
        async for values in source:
            for key in self.feed(values):
                if (fault := (key, repr(values[key])[:_LONGEST_VALUE])) not in reported and len(reported) < _FAULTS:
                    reported.add(fault)
                    problem(f"{fault[1]} cannot be shown as {key}")

    # making devices

    def _device(self, plan: EmulatedDeviceConfig, number: int) -> EmulatedDevice:
        family = _family(plan.family)
        memory = self._remembered(plan, number)
        plant = FedValues(family.record) if self._fed else self._simulated(family, number)
        device = EmulatedDevice(
            family, plant, memory, clock=self.clock.now, firmware=_generation(plan.generation), mtu=plan.mtu,
            network=self._network, key_behind_puk=plan.key_behind_puk, keep_alive=plan.keep_alive,
        )  # fmt: skip
        if plan.pin is not None and plan.pin != device.pin:
            device.change_pin(plan.pin)
            if bonds := self._bonds(plan, number):
                bonds.unlink(missing_ok=True)
        return device

    def _remembered(self, plan: EmulatedDeviceConfig, number: int) -> Memory:
        memory = Memory(self._file(plan, number, "json"))
        content, fresh = memory.content, memory.content.seed is None
        if self._seed is not None:
            seed = child_seed(self._seed, plan.family, number) >> 1
            if content.seed not in (None, seed):
                raise ConfigError(
                    f"{memory.path} holds another device than --seed {self._seed} makes", path=str(memory.path),
                    hint="choose another --state, or leave --seed out",
                )  # fmt: skip
            content.seed = seed
        if plan.name is not None:
            content.name = plan.name
        if plan.pin is not None and fresh:
            content.pin = pin_text(plan.pin)
        if self._network and content.counter is None:
            # A forgotten counter must not begin anew: the same count twice is the same nonce twice.
            content.counter = int(time.time() * 1000)
        return memory

    def _file(self, plan: EmulatedDeviceConfig, number: int, ending: str) -> Path | None:
        place = plan.family if number == 0 else f"{plan.family}-{number + 1}"
        return self._state / f"{place}.{ending}" if self._state else None

    def _bonds(self, plan: EmulatedDeviceConfig, number: int) -> Path | None:
        return self._file(plan, number, "bonds.json")

    def _simulated(self, family: Family, number: int) -> Plant:
        if number not in self._sites:
            seed = child_seed(self._seed or 1, "site", number) if number else self._seed or 1
            self._sites[number] = Site(seed, devices=_SITE_SIZE, start=self.clock.start)
        return self._sites[number].plant(family.place)

    async def _put_on_air(self, stack: AsyncExitStack, device: EmulatedDevice, bonds: Path | None) -> None:
        radio = self.air.device(device.address, name=device.name)
        peripheral = Peripheral(radio, device, clock=self.clock.now, speed=self.clock.speed, bonds=bonds)
        await stack.enter_async_context(peripheral)
        broadcaster = self.air.broadcaster(radio, DATA_PERIOD / 3) if self._network else None
        self.running.append(Running(device, peripheral, broadcaster))

    # running

    async def run(self) -> None:
        """Wait for ever; what ends a device or the radio interrupts the body of the `async with`."""
        await asyncio.Event().wait()

    async def _refresh(self) -> None:
        while True:
            for running in self.running:
                running.peripheral.refresh()
                await asyncio.sleep(0)
            await asyncio.sleep(max(PERIOD / self.clock.speed, SHORTEST_PERIOD))

    async def _broadcast(self, device: EmulatedDevice, broadcaster: Broadcaster) -> None:
        while True:
            payload = device.broadcast(self.clock.now())
            if payload is not None:
                await asyncio.shield(broadcaster.send(payload))
            pause = (device.broadcast_deadline - self.clock.now()) / self.clock.speed
            await asyncio.sleep(max(pause, SHORTEST_PERIOD))


def _numbered(plans: Sequence[EmulatedDeviceConfig]) -> list[tuple[EmulatedDeviceConfig, int]]:
    """Return each plan with the number of its family's devices before it."""
    counts: dict[str, int] = {}
    numbered = []
    for plan in plans:
        numbered.append((plan, counts.get(plan.family, 0)))
        counts[plan.family] = counts.get(plan.family, 0) + 1
    return numbered


def _family(key: str) -> Family:
    if key not in FAMILIES:
        raise ConfigError(f"there is no emulated device {key!r}", hint=f"choose one of {', '.join(FAMILIES)}")
    return FAMILIES[key]


def _generation(key: str) -> Any:
    if key not in GENERATIONS:
        raise ConfigError(f"there is no generation {key!r}", hint=f"choose one of {', '.join(GENERATIONS)}")
    return GENERATIONS[key]


async def feed_values(source: str, problem: Callable[[str], None]) -> AsyncIterator[Mapping[str, Any]]:
    """Yield values from standard input ("-") or an MQTT topic ("mqtt://host/topic").

    `problem` is called with a sentence about each line or message that cannot be read. Raises ConfigError for another
    source, BrokerError if the broker cannot be reached.
    """
    if source == "-":
        read: AsyncIterator[tuple[str, bytes]] = _from_input()
    elif source.partition("://")[0] in ("mqtt", "mqtts"):
        with libraries_for("MQTT"):
            from bluewatt.transports.mqtt_values import messages
        read = messages(source)
    else:
        raise ConfigError("there is no such feed", hint="choose simulator, - or mqtt://host/topic")
    async for topic, payload in read:
        try:
            yield values_of_message(topic, payload) if topic else values_of_line(payload)
        except Malformed as error:
            problem(str(error))


async def _from_input() -> AsyncIterator[tuple[str, bytes]]:
    async for line in lines(sys.stdin.buffer):
        yield "", line


async def watch_clients(emulator: Emulator, tell: Callable[[str], None]) -> None:
    """Report clients that come and go through `tell`, until cancelled."""
    known = {running.device.address: (0, 0, 0) for running in emulator.running}
    while True:
        for running in emulator.running:
            peripheral, name = running.peripheral, running.device.name
            here = peripheral.client is not None
            came, left, timeouts = known[running.device.address]
            if peripheral.served > came:
                tell(f"{name}: a client connected")
            if peripheral.served - here > left:
                tell(f"{name}: the client " + ("sent no keep-alive" if peripheral.timeouts > timeouts else "left"))
            known[running.device.address] = peripheral.served, peripheral.served - here, peripheral.timeouts
        await asyncio.sleep(0.2)
