"""Devices that watch a battery: monitor, DC energy meter, Smart Battery Sense, GX device."""

from __future__ import annotations

from typing import Any, ClassVar

import msgspec

from bluewatt.schema import Record
from bluewatt.services.device_identity import Identity
from bluewatt.services.simulator.appliances import Moment
from bluewatt.services.simulator.battery import Bank, Branch
from bluewatt.services.simulator.device import SimulatedDevice
from bluewatt.services.simulator.devices.charger import StarterBattery
from bluewatt.services.simulator.devices.solar import solar_power
from bluewatt.services.simulator.history import MonitorHistory
from bluewatt.services.simulator.values import code, fit, flag_mask
from bluewatt.tables.enums import AlarmReason, AuxMode, MonitorMode
from bluewatt.tables.records.battery_monitor import BatteryMonitor
from bluewatt.tables.records.dc_energy_meter import DcEnergyMeter
from bluewatt.tables.records.gx_device import GxDevice

NO_AUX = code(AuxMode, "none")
LONGEST_TIME_TO_GO = 14400.0
"""Minutes; devices show ten days at most."""
_AVERAGE_SECONDS = 180.0


class ShuntMonitor(SimulatedDevice):
    """A SmartShunt or BMV: it counts the charge, and decides by its own settings when the battery is full or empty."""

    settings: ClassVar[tuple[str, ...]] = (
        "battery_capacity", "charged_voltage", "charged_tail_current", "charged_detection_time", "discharge_floor",
        "state_of_charge", "alarm_low_voltage_set", "alarm_low_voltage_clear", "alarm_low_soc_set",
        "alarm_low_soc_clear",
    )  # fmt: skip

    def __init__(self, identity: Identity, bank: Bank, starter: StarterBattery | None = None) -> None:
        super().__init__(identity)
        blocks = bank.cells / 4
        self.bank = bank
        self.starter = starter
        self.battery_capacity = bank.capacity
        self.charged_voltage = 14.0 * blocks
        self.charged_tail_current = 4.0
        """% of the capacity."""
        self.charged_detection_time = 3.0
        """Minutes."""
        self.discharge_floor = 10.0
        """% of charge at which the time to go ends."""
        self.alarm_low_voltage_set, self.alarm_low_voltage_clear = 11.8 * blocks, 12.4 * blocks
        self.alarm_low_soc_set, self.alarm_low_soc_clear = 15.0, 20.0
        """%."""
        self.alarm_reason = AlarmReason(0)
        self.consumed_charge = bank.charge - bank.capacity
        """Ah, 0 when full, negative else."""
        self.history = MonitorHistory.of_a_past_life(identity.seed, bank)
        self._charged_for = 0.0
        self._is_full = False
        self._average = 0.0

    @property
    def state_of_charge(self) -> float:
        """%; writing it synchronises the monitor."""
        return min(max(100 + 100 * self.consumed_charge / self.battery_capacity, 0.0), 100.0)

    @state_of_charge.setter
    def state_of_charge(self, percent: float) -> None:
        self.consumed_charge = (percent / 100 - 1) * self.battery_capacity

    @property
    def battery_current(self) -> float:
        """A, positive while charging."""
        return self.bank.current

    @property
    def time_to_go(self) -> float | None:
        """Minutes at the average current of the last minutes; None while there is no end."""
        if self._average > -0.05:
            return None
        left = (self.state_of_charge - self.discharge_floor) / 100 * self.battery_capacity
        return min(max(-left / self._average * 60, 0.0), LONGEST_TIME_TO_GO)

    def synchronise(self) -> None:
        """Set the charge to 100 %, as if the battery were full."""
        self.consumed_charge = 0.0

    def finish(self, moment: Moment) -> None:
        """Count the charge, keep the history, and decide on full and on alarms."""
        current, voltage = self.bank.current, self.bank.voltage
        self.consumed_charge = min(self.consumed_charge + current * moment.dt / 3600, 0.0)
        self._average += (current - self._average) * min(moment.dt / _AVERAGE_SECONDS, 1.0)
        self.history.note(moment, voltage=voltage, current=current, consumed=self.consumed_charge)
        if self.starter:
            self.history.minimum_aux_voltage = min(self.history.minimum_aux_voltage, self.starter.voltage)
            self.history.maximum_aux_voltage = max(self.history.maximum_aux_voltage, self.starter.voltage)
        self._look_for_full(moment.dt)
        self._look_for_alarms()

    def _look_for_full(self, dt: float) -> None:
        tail = self.charged_tail_current / 100 * self.battery_capacity
        charged = self.bank.voltage >= self.charged_voltage and 0 <= self.bank.current < tail
        self._charged_for = self._charged_for + dt if charged else 0.0
        if self._charged_for >= 60 * self.charged_detection_time and not self._is_full:
            self._is_full = True
            self.synchronise()
            self.history.full()
        elif self.state_of_charge < 95:
            self._is_full = False

    def _look_for_alarms(self) -> None:
        low_voltage, low_soc = flag_mask(AlarmReason, "low_voltage"), flag_mask(AlarmReason, "low_soc")
        was = self.alarm_reason
        volts = self.alarm_low_voltage_clear if was & low_voltage else self.alarm_low_voltage_set
        percent = self.alarm_low_soc_clear if was & low_soc else self.alarm_low_soc_set
        is_low = low_voltage if self.bank.voltage < volts else 0
        self.alarm_reason = AlarmReason(is_low | (low_soc if self.state_of_charge < percent else 0))
        self.history.low_voltage_alarms += bool(is_low and not was & low_voltage)

    def other_readings(self) -> dict[str, Any]:
        """Return the history counters as well."""
        return super().other_readings() | msgspec.structs.asdict(self.history) | {"synchronized": 1}

    def write(self, key: str, value: Any) -> bool:
        """Set a setting, or run the command `synchronize`."""
        if key != "synchronize":
            return super().write(key, value)
        self.synchronise()
        self.measure_anew()
        return True

    def measure(self) -> Record:
        """Return the record of a battery monitor."""
        return fit(
            BatteryMonitor,
            time_to_go=self.time_to_go,
            battery_voltage=self.bank.voltage + self.noise(0.004),
            alarm_reason=self.alarm_reason,
            starter_voltage=self.starter.voltage + self.noise(0.006) if self.starter else None,
            aux_mode=AuxMode.STARTER_VOLTAGE if self.starter else NO_AUX,
            battery_current=self.battery_current + self.noise(0.012),
            consumed_charge=self.consumed_charge,
            state_of_charge=self.state_of_charge,
        )


class LoadMeter(SimulatedDevice):
    """A SmartShunt as a DC energy meter in one load's cable: the same product, another record."""

    def __init__(self, identity: Identity, bank: Bank, branch: Branch) -> None:
        super().__init__(identity)
        self.bank = bank
        self.branch = branch
        self.monitor_mode = int(code(MonitorMode, "fridge"))

    def measure(self) -> Record:
        """Return the record; current towards the load counts negative, as at a battery."""
        return fit(
            DcEnergyMeter,
            monitor_mode=self.monitor_mode,
            battery_voltage=self.bank.voltage + self.noise(0.006),
            alarm_reason=AlarmReason(0),
            aux_mode=NO_AUX,
            battery_current=-self.branch.drawn,
        )


class BatterySense(SimulatedDevice):
    """A Smart Battery Sense: voltage and temperature in a battery monitor's record, the rest absent."""

    period = 2.0
    interval = 0.6

    def __init__(self, identity: Identity, bank: Bank) -> None:
        super().__init__(identity)
        self.bank = bank

    def measure(self) -> Record:
        """Return a record with two values."""
        return fit(
            BatteryMonitor,
            battery_voltage=self.bank.voltage + self.noise(0.01),
            alarm_reason=AlarmReason(0),
            temperature=self.bank.temperature + self.noise(0.03),
            aux_mode=AuxMode.TEMPERATURE,
        )


class GxComputer(SimulatedDevice):
    """A GX device: the sums over the other devices. No bytes of a real one are public."""

    def __init__(self, identity: Identity, bank: Bank, devices: list[SimulatedDevice], loads: list[Branch]) -> None:
        super().__init__(identity)
        self.bank = bank
        self.devices = devices
        self.loads = loads

    @property
    def dc_power(self) -> float:
        """W of the DC loads."""
        return sum(load.drawn for load in self.loads) * self.bank.voltage

    def measure(self) -> Record:
        """Return the record of the whole system: five numbers."""
        return fit(
            GxDevice,
            battery_voltage=self.bank.voltage + self.noise(0.005),
            pv_power=solar_power(self.devices, self.bank),
            state_of_charge=min(100 * self.bank.state_of_charge, 100),
            battery_power=self.bank.voltage * self.bank.current,
            dc_power=self.dc_power,
        )
