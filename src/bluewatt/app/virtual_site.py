"""The source `virtual:`: a simulated site on a virtual radio, heard through bleak; and the same site on other radios.

Everything but the devices is real: their advertisements are sealed, packed and sent as Bluetooth packets, and the
receiving side is the scanner that drives a real adapter.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from typing import Any, Self

from bluewatt.errors import AdapterUnavailable, ConfigError
from bluewatt.services.simulator import DEFAULT_START, TYPICAL, Site
from bluewatt.services.simulator.clock import FASTEST, LATEST, MOST_DEVICES, SiteClock
from bluewatt.transports.background import Background
from bluewatt.transports.ble.nested_scan import NestedScanSource
from bluewatt.transports.ble.scan import BleSource
from bluewatt.transports.hci_transport import is_host
from bluewatt.transports.source_options import split_options
from bluewatt.transports.virtual.bleak_backend import VirtualAdapter
from bluewatt.transports.virtual.hardware_radio import HardwareRadio
from bluewatt.transports.virtual.radio import Advertiser, Radio, VirtualRadio

LONGEST_RATE = 0.1
"""Least real seconds between two records of one device, however fast its site runs."""


async def advertise(site: Site, radio: Radio, clock: SiteClock) -> None:
    """Let the devices of a site advertise on a radio, for ever; AdapterUnavailable if not even one fits."""
    advertisers = _advertisers(site, radio)
    due = [(clock.start, number) for number in range(len(advertisers))]
    while True:
        at, number = heapq.heappop(due)
        await clock.until(at)
        device, now = site.devices[number], clock.now()
        if now - at > device.period:
            at = now  # too late for the schedule, which otherwise holds exactly, so all values follow from the seed
        advertisers[number].update(device.advertisement(at))
        heapq.heappush(due, (max(device.next_change(at), at + LONGEST_RATE * clock.speed), number))


def _advertisers(site: Site, radio: Radio) -> list[Advertiser]:
    made: list[Advertiser] = []
    for device in site.devices:
        try:
            made.append(
                radio.advertiser(device.address, name=device.name, interval=device.interval, rssi=device.rssi)
            )  # fmt: skip
        except AdapterUnavailable:
            if not made:
                raise
            break
    return made


class VirtualSource(NestedScanSource):
    """A simulated site of `devices` devices, received through the virtual radio; the same for the same `seed`.

    An error of the simulation interrupts the body of the `async with` at once.
    `speed` 60 lets an hour pass in a minute. The frames carry the site's time.
    """

    def __init__(
        self, *, seed: int = 1, speed: float = 1.0, devices: int = TYPICAL, start: float = DEFAULT_START
    ) -> None:
        super().__init__()
        self.site = Site(seed=seed, devices=devices, start=start)
        self.clock = SiteClock(start, speed)
        self.keys: Mapping[str, bytes] = {device.address: device.key for device in self.site.devices}

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Return the source of what follows "virtual:" in a source string, such as "?seed=7&speed=60&devices=5"."""
        known: dict[str, Callable[[str], Any]] = {"seed": int, "speed": _speed, "devices": _count, "start": _start}
        what, options = split_options("virtual", text, known)
        if what:
            raise ConfigError(f"the source virtual:{what} is not known", hint="write virtual: or virtual:?seed=7")
        return cls(**options)

    async def _scanner(self, stack: AsyncExitStack) -> BleSource:
        radio = await stack.enter_async_context(VirtualRadio(seed=self.site.seed))
        adapter = await stack.enter_async_context(VirtualAdapter(radio))
        scan = BleSource(backend=adapter.scanner, origin="virtual:", clock=self.clock.now)
        await stack.enter_async_context(scan)
        tasks = await stack.enter_async_context(Background())
        tasks.start(advertise(self.site, radio, self.clock), name="virtual site")
        return scan

    def now(self) -> float:
        """Return the site's present in POSIX seconds."""
        return self.clock.now()


async def serve(site: Site, transport: str, clock: SiteClock) -> None:
    """Let a site advertise for another program or for real receivers, until cancelled.

    "vhci" hands a virtual adapter to this computer's Bluetooth system (Linux, root), "tcp-server:HOST:PORT" to who
    connects; "usb:0" or "hci-socket:0" sends with a real adapter. Raises AdapterUnavailable if that cannot be opened.
    """
    async with AsyncExitStack() as stack:
        radio: VirtualRadio | HardwareRadio
        if is_host(transport):
            radio = await stack.enter_async_context(VirtualRadio(seed=site.seed))
            await radio.attach(transport)
        else:
            radio = await stack.enter_async_context(HardwareRadio(transport))
        await advertise(site, radio, clock)


def _speed(text: str) -> float:
    number = float(text)
    if not 0 < number <= FASTEST:
        raise ValueError
    return number


def _start(text: str) -> float:
    number = float(text)
    if not 0 <= number <= LATEST:
        raise ValueError
    return number


def _count(text: str) -> int:
    number = int(text)
    if not 1 <= number <= MOST_DEVICES:
        raise ValueError
    return number
