"""The simulated site: weather, installations and their devices. It has no clock of its own: the caller moves it on.

    site = Site(7)
    for frame in frames(site, site.now, 60): ...

Everything follows from the seed and from simulated time, and the caller decides how fast that time goes. A site moves
forward only: asked about the past it answers with the present.
"""

from __future__ import annotations

from collections.abc import Iterator
from heapq import heapify, heapreplace

from bluewatt.model.reading import ADVERTISEMENT, Frame
from bluewatt.services.chance import chance, child_seed
from bluewatt.services.plant import Plant
from bluewatt.services.simulator.appliances import Moment
from bluewatt.services.simulator.device import SimulatedDevice
from bluewatt.services.simulator.installation import COMPLETE, TYPICAL, Installation
from bluewatt.services.simulator.sun import Sky

ORIGIN = "virtual:"
DEFAULT_START = 1_782_032_400.0
"""21 June 2026, 09:00 UTC, in POSIX seconds: the sun is up and the batteries are not full."""

TICK = 1.0
"""Seconds of simulated time in one step."""
LEAP = 3600.0
"""Seconds of simulated time; to move on by more, a site takes steps of LEAP_TICK."""
LEAP_TICK = 20.0
"""Seconds of simulated time in one step of a leap: ten days take some seconds."""

_BEACON_EVERY = 4
"""Every fourth advertisement of a device in a VE.Smart network is a broadcast to that network."""


class Site:
    """A site of `devices` devices; if that is more than the roster has, there are several boats, all different.

    `state_of_charge` (0 to 1) is that of the batteries at the midnight before `start`; by default it follows from the
    seed. `tick` is the step of the simulation in seconds (up to 20): a longer one is faster and less exact.
    """

    def __init__(
        self, seed: int = 1, *, devices: int = TYPICAL, start: float = DEFAULT_START, latitude: float = 43.3,
        longitude: float = 5.4, state_of_charge: float | None = None, tick: float = TICK,
    ) -> None:  # fmt: skip
        self.seed = seed
        self.tick = tick
        self.sky = Sky(seed, latitude=latitude, longitude=longitude)
        self.installations = [
            Installation(
                child_seed(seed, "installation", index), self.sky, count=min(devices - first, COMPLETE),
                suffix=f" {index + 1}" if index else "", state_of_charge=state_of_charge,
            )
            for index, first in enumerate(range(0, devices, COMPLETE))
        ]  # fmt: skip
        self.devices: list[SimulatedDevice] = [device for aboard in self.installations for device in aboard.devices]
        for device in self.devices:
            device.advance = self.step
        self.now = self.sky.midnight(start)
        """Present of the simulation in POSIX seconds; never more than a tick behind the last `step`."""
        self._walk(start, LEAP_TICK)
        self.now = start

    def step(self, now: float) -> None:
        """Move on to `now`. An hour in one step or in many has the same outcome."""
        self._walk(now, self.tick if now - self.now <= LEAP else max(self.tick, LEAP_TICK))

    def _walk(self, until: float, tick: float) -> None:
        while self.now + tick <= until:
            self.now += tick
            sky, at = self.sky, self.now
            moment = Moment(at, tick, sky.day(at), sky.hour(at), sky.irradiance(at), sky.temperature(at))
            for aboard in self.installations:
                aboard.tick(moment)

    def device(self, name: str) -> SimulatedDevice:
        """Return the first device whose local name begins with `name`; KeyError if there is none."""
        for device in self.devices:
            if device.name.startswith(name):
                return device
        raise KeyError(name)

    def plant(self, name: str) -> Plant:
        """Return a device, named as for `device`, as the plant of an emulated one, whose radio is always powered."""
        device = self.device(name)
        device.keep_radio_powered()
        return device


def frames(site: Site, start: float, seconds: float, *, broadcasts: bool = False) -> Iterator[Frame]:
    """Yield what a receiver beside the site hears from `start` on, in the order of time, as fast as it can be made.

    Every device advertises at its own interval plus the random delay of up to 10 ms that Bluetooth requires. With
    `broadcasts`, some advertisements of members of a VE.Smart network are broadcasts to it.
    """
    queue = [
        (start + chance(device.seed, 4) * device.interval, place, 0) for place, device in enumerate(site.devices)
    ]  # fmt: skip
    heapify(queue)
    while queue and queue[0][0] < start + seconds:
        at, place, count = queue[0]
        device = site.devices[place]
        delay = chance(device.seed, 1000 + count)
        heapreplace(queue, (at + device.interval + 0.01 * delay, place, count + 1))
        payload = device.advertisement(at)
        if broadcasts and count % _BEACON_EVERY == _BEACON_EVERY - 1:
            payload = device.broadcast(at) or payload
        fading = round(6 * chance(device.seed, 500_000 + count) - 3)
        yield Frame(at, ORIGIN, ADVERTISEMENT, device.address, payload, device.rssi + fading, device.name)
