"""What happens on a boat besides the usual: true events that look like damage, laid over simulated devices."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import Any

from bluewatt.schema import Record
from bluewatt.services.simulator.device import SimulatedDevice
from bluewatt.services.simulator.values import fit

EVERY = 600
"""Records of a device from the end of one event to the next, on average."""

Change = Callable[[Mapping[str, Any], int], dict[str, Any]]
"""(values, number of the record within the event) → the values that differ."""


def crank(values: Mapping[str, Any], number: int) -> dict[str, Any]:
    """An engine starts: one record of 650 A, the voltage breaks down; then a second attempt."""
    if number % 3:
        return {}
    return {"battery_current": -650.0, "battery_voltage": (values["battery_voltage"] or 12.0) - 3.2}


def thruster(values: Mapping[str, Any], number: int) -> dict[str, Any]:
    """A bow thruster runs up, runs, and stops."""
    return {"battery_current": -90.0 * min(number + 1, 5)}


def microwave(values: Mapping[str, Any], number: int) -> dict[str, Any]:
    """A microwave oven on low power: on for a second, off for a second."""
    return {"battery_current": -180.0 if number % 2 else -2.0}


def clouds(values: Mapping[str, Any], number: int) -> dict[str, Any]:
    """Small clouds over a sensor or over panels."""
    share = 0.05 if number // 2 % 2 else 1.0
    sunny = {"irradiance": 1050.0, "pv_power": 4000}
    return {name: sunny[name] * share for name in sunny if values.get(name) is not None}


def odd_error(values: Mapping[str, Any], number: int) -> dict[str, Any]:
    """A charger in trouble, with an error that nobody has named."""
    return {"charger_error": 99}


_EVENTS: tuple[tuple[Change, int, str], ...] = (
    (crank, 4, "battery_current"),
    (thruster, 9, "battery_current"),
    (microwave, 40, "battery_current"),
    (clouds, 40, "irradiance"),
    (clouds, 40, "pv_power"),
    (odd_error, 60, "charger_error"),
)
"""An event, how many records it lasts, and the metric of the devices it happens to."""


class Eventful:
    """Lays events over the records of a device."""

    def __init__(self, device: SimulatedDevice, rng: random.Random) -> None:
        self.records = 0
        """How many records were changed by an event."""
        self._measure, self._rng = device.measure, rng
        self._change: Change | None = None
        self._number = self._lasts = 0
        object.__setattr__(device, "measure", self.measure)

    def measure(self) -> Record:
        """Return the record of the present state, with what happens just now."""
        record = self._measure()
        values = record.as_dict()
        if self._change is None and self._rng.random() < 1 / EVERY:
            fitting = [event for event in _EVENTS if values.get(event[2]) is not None]
            if fitting:
                self._change, self._lasts, _ = self._rng.choice(fitting)
                self._number = 0
        if self._change is None:
            return record
        changes = self._change(values, self._number)
        self._number += 1
        if self._number >= self._lasts:
            self._change = None
        self.records += bool(changes)
        return fit(type(record), **(values | changes)) if changes else record
