"""The history that devices keep: the days of a solar charger, the counters of a battery monitor."""

from __future__ import annotations

from typing import Any

import msgspec

from bluewatt.services.chance import chance
from bluewatt.services.simulator.appliances import Moment
from bluewatt.services.simulator.battery import Bank
from bluewatt.services.simulator.charging import ABSORPTION, BULK, FLOAT
from bluewatt.services.simulator.sun import DAY, Sky
from bluewatt.tables.enums import DeviceState

DAYS_KEPT = 30
_SAMPLE = 600.0
_STATE_MINUTES = {BULK: "time_in_bulk", ABSORPTION: "time_in_absorption", FLOAT: "time_in_float"}


class DayHistory(msgspec.Struct):
    """One day of a solar charger; the names are those of the register's layout."""

    number: int
    """The local day."""
    energy: float = 0.0
    """kWh; the layout calls it "yield"."""
    consumed: float = 0.0
    """kWh through the load output."""
    maximum_battery_voltage: float = 0.0
    minimum_battery_voltage: float = 99.0
    time_in_bulk: float = 0.0
    """min"""
    time_in_absorption: float = 0.0
    time_in_float: float = 0.0
    maximum_pv_power: float = 0.0
    maximum_battery_current: float = 0.0
    maximum_pv_voltage: float = 0.0

    def note(
        self, dt: float, *, power: float, voltage: float, current: float, pv_voltage: float, state: DeviceState
    ) -> None:
        """Add `dt` seconds in which the charger did this (W, V, A, V)."""
        self.energy += power * dt / 3.6e6
        self.maximum_pv_power = max(self.maximum_pv_power, power)
        self.maximum_battery_voltage = max(self.maximum_battery_voltage, voltage)
        self.minimum_battery_voltage = min(self.minimum_battery_voltage, voltage)
        self.maximum_battery_current = max(self.maximum_battery_current, current)
        self.maximum_pv_voltage = max(self.maximum_pv_voltage, pv_voltage)
        minutes = _STATE_MINUTES.get(state)
        if minutes:
            setattr(self, minutes, getattr(self, minutes) + dt / 60)

    def as_fields(self, newest: int) -> dict[str, Any]:
        """Return the values by the names of the layout `history_day`; `newest` is the number of today."""
        fields = msgspec.structs.asdict(self)
        sequence = newest - fields.pop("number")
        whole = ("time_in_bulk", "time_in_absorption", "time_in_float", "maximum_pv_power")
        fields |= {key: round(fields[key]) for key in whole}
        return fields | {"yield": fields.pop("energy"), "errors": [0, 0, 0, 0], "day_sequence": sequence}


class PvArray(msgspec.Struct, frozen=True):
    """The panels on one charger."""

    peak: float
    """W under 1000 W/m²."""
    voltage: float = 36.0
    """V at the best point."""
    shade_from: float = 24.0
    """Local hour from which mast or sail takes half of the sun."""

    def power(self, irradiance: float, air: float, hour: float) -> float:
        """Return the W that the panels could give: less if they are hot or in the shade."""
        shade = 0.5 if hour >= self.shade_from else 1.0
        cell = air + 0.03 * irradiance
        return max(self.peak * irradiance / 1000 * (1 - 0.004 * (cell - 25)) * shade, 0.0)

    def terminal_voltage(self, irradiance: float) -> float:
        """Return the V at the charger."""
        return self.voltage * (0.9 + 0.1 * min(irradiance / 200, 1.0)) if irradiance > 0.5 else 0.0


class PastDays:
    """The days before the simulation began: the same sun and panels, and batteries as empty as the seed says."""

    def __init__(self, seed: int, sky: Sky, array: PvArray, bank: Bank) -> None:
        self._seed = seed
        self._sky = sky
        self._array = array
        self._blocks = bank.cells / 4

    def day(self, number: int) -> DayHistory:
        """Return a whole day in ten-minute steps: bulk until the battery is charged, an hour of absorption, float."""
        sky, past = self._sky, DayHistory(number)
        hunger = self._array.peak / 1000 * (1.2 + 3.5 * chance(self._seed, number))
        midnight = number * DAY - sky.solar_time(0)
        rest = (12.9 + 0.3 * chance(self._seed, number + 500_000)) * self._blocks
        for step in range(int(DAY / _SAMPLE)):
            at = midnight + step * _SAMPLE
            irradiance = sky.irradiance(at)
            power = self._array.power(irradiance, sky.temperature(at), sky.hour(at))
            if power < 2:
                past.minimum_battery_voltage = min(past.minimum_battery_voltage, rest)
                continue
            state, share, volts = self._stage(past, hunger)
            past.note(
                _SAMPLE, power=power * share, voltage=volts, current=power * share / volts, state=state,
                pv_voltage=self._array.terminal_voltage(irradiance),
            )  # fmt: skip
        past.maximum_battery_voltage = max(past.maximum_battery_voltage, rest)
        return past

    def _stage(self, past: DayHistory, hunger: float) -> tuple[DeviceState, float, float]:
        """Return state, share of the possible power, and voltage, by what the day has brought so far."""
        if past.energy < hunger:
            return BULK, 1.0, (13.2 + 0.6 * past.energy / hunger) * self._blocks
        if past.time_in_absorption < 60:
            return ABSORPTION, 0.4, 14.2 * self._blocks
        return FLOAT, 0.15, 13.5 * self._blocks


class Harvest:
    """The yield counters of a device with panels: today, yesterday, thirty days, in total."""

    def __init__(self, seed: int, sky: Sky, array: PvArray, bank: Bank) -> None:
        self.array = array
        self._past = PastDays(seed, sky, array, bank)
        self._days: dict[int, DayHistory] = {}
        self.today = DayHistory(0)
        self.total = round(array.peak * (0.4 + chance(seed, 77)), 2)
        """kWh since manufacture."""

    def note(
        self, moment: Moment, *, power: float, voltage: float, current: float, pv_voltage: float, state: DeviceState
    ) -> None:
        """Add a tick; the first of a local day closes the day before."""
        if self.today.number != moment.day:
            self._days = {number: day for number, day in self._days.items() if number >= moment.day - DAYS_KEPT}
            self.today = self._days[moment.day] = DayHistory(moment.day)
        self.total += power * moment.dt / 3.6e6
        self.today.note(
            moment.dt, power=power, voltage=voltage, current=current, pv_voltage=pv_voltage, state=state
        )  # fmt: skip

    def day(self, ago: int) -> DayHistory:
        """Return the day `ago` days before today; those before the simulation are worked out when first asked for."""
        number = self.today.number - ago
        if number not in self._days:
            self._days[number] = self._past.day(number)
        return self._days[number]


class MonitorHistory(msgspec.Struct):
    """The lifetime counters of a battery monitor, named by register key (Ah, V, s, kWh)."""

    deepest_discharge: float
    last_discharge: float
    average_discharge: float
    charge_cycles: int
    full_discharges: int
    cumulative_discharge: float
    minimum_voltage: float
    maximum_voltage: float
    time_since_full_charge: float
    automatic_syncs: int
    low_voltage_alarms: int
    high_voltage_alarms: int
    low_aux_voltage_alarms: int
    high_aux_voltage_alarms: int
    minimum_aux_voltage: float
    maximum_aux_voltage: float
    discharged_energy: float
    charged_energy: float

    @classmethod
    def of_a_past_life(cls, seed: int, bank: Bank) -> MonitorHistory:
        """Return counters as after some seasons of use."""
        cycles = 20 + int(200 * chance(seed, 30))
        depth = -bank.capacity * (0.3 + 0.3 * chance(seed, 31))
        drawn = cycles * depth * 1.6
        blocks = bank.cells / 4
        return cls(
            deepest_discharge=depth * 1.5, last_discharge=depth * 0.8, average_discharge=depth, charge_cycles=cycles,
            full_discharges=int(3 * chance(seed, 32)), cumulative_discharge=drawn, minimum_voltage=11.9 * blocks,
            maximum_voltage=14.3 * blocks, time_since_full_charge=DAY * chance(seed, 33), automatic_syncs=cycles * 2,
            low_voltage_alarms=int(4 * chance(seed, 34)), high_voltage_alarms=0, low_aux_voltage_alarms=0,
            high_aux_voltage_alarms=0, minimum_aux_voltage=11.2, maximum_aux_voltage=14.6,
            discharged_energy=-drawn * 13.1 * blocks / 1000, charged_energy=-drawn * 13.6 * blocks / 1000,
        )  # fmt: skip

    def note(self, moment: Moment, *, voltage: float, current: float, consumed: float) -> None:
        """Add a tick (V, A, Ah)."""
        energy = voltage * current * moment.dt / 3.6e6
        if current < 0:
            self.discharged_energy -= energy
            self.cumulative_discharge += current * moment.dt / 3600
        else:
            self.charged_energy += energy
        self.time_since_full_charge += moment.dt
        self.last_discharge = min(self.last_discharge, consumed)
        self.deepest_discharge = min(self.deepest_discharge, consumed)
        self.minimum_voltage = min(self.minimum_voltage, voltage)
        self.maximum_voltage = max(self.maximum_voltage, voltage)

    def full(self) -> None:
        """Count a full battery, at which the monitor synchronised."""
        self.time_since_full_charge = 0.0
        self.automatic_syncs += 1
        self.charge_cycles += 1
        self.average_discharge += (self.last_discharge - self.average_discharge) / self.charge_cycles
        self.last_discharge = 0.0
