"""Solar chargers with their thirty days, and the sensor that watches the sun."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property, partial
from typing import Any, ClassVar

from bluewatt.schema import Record
from bluewatt.services.device_identity import Identity
from bluewatt.services.simulator.appliances import Habit, Moment
from bluewatt.services.simulator.battery import Bank
from bluewatt.services.simulator.charging import OFF
from bluewatt.services.simulator.device import SimulatedDevice
from bluewatt.services.simulator.devices.charger import NO_ERROR, Charger
from bluewatt.services.simulator.history import DAYS_KEPT, DayHistory, Harvest, PvArray
from bluewatt.services.simulator.sun import Sky
from bluewatt.services.simulator.values import code, fit, flag_mask
from bluewatt.tables.enums import OffReason, SolarsenseError, code_class
from bluewatt.tables.records.solar_charger import SolarCharger
from bluewatt.tables.records.solarsense import Solarsense

LoadControl = code_class("load_control")
LOAD_OFF, LOAD_AUTOMATIC, LOAD_ON = (code(LoadControl, key) for key in ("force_off", "automatic", "force_on"))
DARK = 1.5
"""W of the panels below which a charger does not charge."""
CONVERSION = 0.97


class MpptCharger(Charger):
    """A SmartSolar: panels, charger, and on small models a load output."""

    settings: ClassVar[tuple[str, ...]] = (*Charger.settings, "load_control")
    readings: ClassVar[tuple[str, ...]] = (
        *Charger.readings, "pv_voltage", "pv_current", "yield_yesterday", "max_power_today", "max_power_yesterday",
        "user_yield", "system_yield", "off_reason",
    )  # fmt: skip

    def __init__(
        self,
        identity: Identity,
        bank: Bank,
        sky: Sky,
        array: PvArray,
        *,
        rated_current: float,
        load: Habit | None = None,
    ) -> None:
        self.rated_current = rated_current
        super().__init__(identity, bank)
        self.harvest = Harvest(identity.seed, sky, array, bank)
        self.pv_power = 0.0
        self.pv_voltage = 0.0
        self.load = load
        """The load on the load output; None on models without one."""
        self.load_control = int(LOAD_AUTOMATIC)
        self.load_disconnect_voltage = 11.8 * bank.cells / 4
        self.load_reconnect_voltage = 12.8 * bank.cells / 4
        self.load_output = load is not None
        """Whether the load output is on."""

    @property
    def pv_current(self) -> float:
        """A from the panels."""
        return self.pv_power / self.pv_voltage if self.pv_voltage else 0.0

    @property
    def load_current(self) -> float | None:
        """A through the load output, None without one."""
        return self.branch.drawn if self.load else None

    @property
    def battery_current(self) -> float:
        """A to the battery; below 0 while the load takes more than the sun gives."""
        return self.branch.net

    @property
    def off_reason(self) -> OffReason:
        """Why it does not charge."""
        if self.device_state != OFF:
            return flag_mask(OffReason)
        return flag_mask(OffReason, "no_input_power" if self.charger_on else "soft_switch")

    @property
    def yield_today(self) -> float:
        """kWh."""
        return self.harvest.today.energy

    @property
    def yield_yesterday(self) -> float:
        """kWh."""
        return self.harvest.day(1).energy

    @property
    def max_power_today(self) -> float:
        """W."""
        return self.harvest.today.maximum_pv_power

    @property
    def max_power_yesterday(self) -> float:
        """W."""
        return self.harvest.day(1).maximum_pv_power

    @property
    def system_yield(self) -> float:
        """kWh since manufacture."""
        return self.harvest.total

    @property
    def user_yield(self) -> float:
        """kWh since the owner last reset it: never, here."""
        return self.harvest.total

    def history(self, ago: int) -> DayHistory:
        """Return the day `ago` days before today (0 to 30)."""
        return self.harvest.day(ago)

    def history_total(self) -> dict[str, Any]:
        """Return the totals by the names of the layout `history_total`, which counts the days behind today."""
        days = [self.history(ago) for ago in range(DAYS_KEPT + 1)]
        return {
            "errors": [0, 0, 0, 0],
            "user_yield": self.user_yield,
            "system_yield": self.system_yield,
            "maximum_pv_voltage": max(day.maximum_pv_voltage for day in days),
            "maximum_battery_voltage": max(day.maximum_battery_voltage for day in days),
            "days_available": len(days) - 1,
            "minimum_battery_voltage": min(day.minimum_battery_voltage for day in days),
        }

    def possible(self, moment: Moment) -> float:
        """Return the A that the panels could give at the bank's voltage."""
        array = self.harvest.array
        power = array.power(moment.irradiance, moment.air, moment.hour)
        self.pv_voltage = array.terminal_voltage(moment.irradiance)
        return power * CONVERSION / self.bank.voltage if power > DARK else 0.0

    def prepare(self, moment: Moment) -> None:
        """Offer the sun's current, and feed the load output."""
        super().prepare(moment)
        if self.load is not None:
            self._switch_load()
            self.branch.drawn = self.load.power(moment) / self.bank.voltage if self.load_output else 0.0

    def _switch_load(self) -> None:
        if self.load_control in (LOAD_OFF, LOAD_ON):
            self.load_output = self.load_control == LOAD_ON
        elif self.bank.voltage < self.load_disconnect_voltage:
            self.load_output = False
        elif self.bank.voltage > self.load_reconnect_voltage:
            self.load_output = True

    def finish(self, moment: Moment) -> None:
        """Count what was harvested, and what the load took."""
        super().finish(moment)
        self.pv_power = self.branch.current * self.bank.voltage / CONVERSION
        self.harvest.note(
            moment, power=self.pv_power, voltage=self.bank.voltage, current=self.branch.current,
            pv_voltage=self.pv_voltage, state=self.device_state,
        )  # fmt: skip
        self.harvest.today.consumed += self.branch.drawn * self.bank.voltage * moment.dt / 3.6e6

    def measure(self) -> Record:
        """Return the record of a solar charger."""
        return fit(
            SolarCharger,
            device_state=self.device_state,
            charger_error=NO_ERROR,
            battery_voltage=self.charger_voltage + self.noise(0.012),
            battery_current=self.battery_current,
            yield_today=self.yield_today,
            pv_power=self.pv_power,
            load_current=self.load_current,
        )

    def other_readings(self) -> dict[str, Any]:
        """Return the load output and the setpoint as well."""
        on = self.load_output
        load = {"output_state": int(on), "load_voltage": self.bank.voltage if on else 0.0}
        return super().other_readings() | load | {"link_charge_voltage_setpoint": self.cycle.setpoint}

    def values(self, at: float) -> Mapping[str, Any]:
        """Return the days of the history as well, each as a function."""
        return {**self._history_values, **super().values(at)}

    @cached_property
    def _history_values(self) -> dict[str, Any]:
        days = {f"history_day_{ago:02d}": partial(self._day_values, ago) for ago in range(DAYS_KEPT + 1)}
        return {**days, "history_total": self._total_values}

    def _day_values(self, ago: int) -> dict[str, Any]:
        today = self.harvest.today.number
        # The page counts the days upwards (0 to 364), whatever they are counted from.
        head = {"version": 0, "error_database": 0}
        return head | self.history(ago).as_fields(today) | {"day_sequence": (today - ago) % 365}

    def _total_values(self) -> dict[str, Any]:
        # 13 bytes of ones at the end: the form of today's firmware (protocol page victronconnect-gatt, section 13).
        return {"version": 1, "error_database": 0} | self.history_total() | {"rest": b"\xff" * 13}


class IrradianceSensor(SimulatedDevice):
    """A SolarSense 750: it measures the sun and works out what an array of the configured size should make of it."""

    period = 5.0
    interval = 1.0

    def __init__(self, identity: Identity, sky: Sky, peak: float) -> None:
        super().__init__(identity)
        self.sky = sky
        self.peak = peak
        """W of panels configured."""
        self.irradiance = 0.0
        self.cell_temperature = 20.0
        self.sensor_battery_voltage = 3.0
        self.dark_for = 0.0
        """Seconds."""
        self._energy = 0.0
        self._day: int | None = None

    def finish(self, moment: Moment) -> None:
        """Follow the sun."""
        if moment.day != self._day:
            self._day, self._energy = moment.day, 0.0
        self.irradiance = moment.irradiance
        self.cell_temperature = moment.air + 0.03 * moment.irradiance
        self.dark_for = 0.0 if moment.irradiance > 1 else self.dark_for + moment.dt
        self.sensor_battery_voltage = max(3.1 - self.dark_for / 86400, 2.0)
        self._energy += self.installation_power * moment.dt / 3.6e6

    @property
    def installation_power(self) -> float:
        """W the array should be making."""
        return PvArray(self.peak).power(self.irradiance, self.cell_temperature - 0.03 * self.irradiance, 0.0)

    def measure(self) -> Record:
        """Return the record, which is not encrypted."""
        return fit(
            Solarsense,
            error_code=SolarsenseError(0),
            charger_error=NO_ERROR,
            installation_power=self.installation_power,
            yield_today=self._energy,
            irradiance=self.irradiance,
            cell_temperature=self.cell_temperature + self.noise(0.05),
            sensor_battery_voltage=self.sensor_battery_voltage,
            tx_power=6,
            time_since_last_sun=self.dark_for / 60,
        )


def solar_power(devices: list[SimulatedDevice], bank: Bank) -> float:
    """Return the W of all solar chargers on a bank."""
    return sum(device.pv_power for device in devices if isinstance(device, MpptCharger) and device.bank is bank)
