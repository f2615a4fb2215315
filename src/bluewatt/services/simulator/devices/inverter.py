"""Devices that make mains voltage: Phoenix inverter, and the inverter/chargers MultiPlus, Multi RS, Inverter RS."""

from __future__ import annotations

from typing import ClassVar

from bluewatt.schema import Record
from bluewatt.services.device_identity import Identity
from bluewatt.services.simulator.appliances import Appliance, Habit, Moment
from bluewatt.services.simulator.battery import Bank
from bluewatt.services.simulator.charging import OFF, ChargeCycle
from bluewatt.services.simulator.device import SimulatedDevice
from bluewatt.services.simulator.devices.charger import MAINS_VOLTAGE, NO_ERROR, DeviceMode
from bluewatt.services.simulator.history import DayHistory, Harvest, PvArray
from bluewatt.services.simulator.sun import Sky
from bluewatt.services.simulator.values import code, fit, flag_mask
from bluewatt.tables.enums import ActiveAcIn, AlarmReason, DeviceState, VeBusAlarm, VeBusError
from bluewatt.tables.records.inverter import Inverter
from bluewatt.tables.records.inverter_rs import InverterRs
from bluewatt.tables.records.multi_rs import MultiRs
from bluewatt.tables.records.ve_bus import VeBus

ON_MODES = (code(DeviceMode, "inverter_only"), code(DeviceMode, "on"))
ECO = code(DeviceMode, "eco")
INVERTING, SEARCHING = code(DeviceState, "inverting"), code(DeviceState, "low_power")
AC_IN, NO_AC_IN = code(ActiveAcIn, "ac_in_1"), code(ActiveAcIn, "disconnected")
_EFFICIENCY = 0.93
_SOLAR_EFFICIENCY = 0.97


class PhoenixInverter(SimulatedDevice):
    """A Phoenix inverter with a kettle behind it. `device_mode`: on, off or eco."""

    settings: ClassVar[tuple[str, ...]] = ("device_mode", "shutdown_low_voltage", "eco_search_power_threshold")
    readings: ClassVar[tuple[str, ...]] = ("ac_out_power",)
    idle_power = 8.0
    eco_power = 1.3

    def __init__(self, identity: Identity, bank: Bank, appliances: list[Appliance]) -> None:
        super().__init__(identity)
        self.bank = bank
        self.branch = bank.attach()
        self.appliances = appliances
        self.device_mode = int(code(DeviceMode, "inverter_only"))
        self.shutdown_low_voltage = 11.0 * bank.cells / 4
        self.restart_voltage = 12.5 * bank.cells / 4
        self.eco_search_power_threshold = 20.0
        """W below which eco mode counts a load as none."""
        self.device_state: DeviceState = INVERTING
        self.ac_out_power = 0.0
        self.alarm_reason = AlarmReason(0)

    @property
    def inverter_on(self) -> bool:
        """Whether the mode lets it make mains voltage; set to switch it."""
        return self.device_mode in (*ON_MODES, ECO)

    @inverter_on.setter
    def inverter_on(self, on: bool) -> None:
        self.device_mode = int(code(DeviceMode, "inverter_only" if on else "off"))

    @property
    def ac_voltage(self) -> float:
        """V at the outlet; 0 while it is off or searching."""
        return MAINS_VOLTAGE if self.device_state == INVERTING else 0.0

    def prepare(self, moment: Moment) -> None:
        """Draw what the appliances and the inverter itself take."""
        wanted = sum(appliance.power(moment) for appliance in self.appliances)
        self._look_at_voltage()
        if not self.inverter_on or self.alarm_reason or self.bank.cut_off:
            self.device_state, self.ac_out_power, hunger = OFF, 0.0, 0.0
        elif self.device_mode == ECO and wanted < self.eco_search_power_threshold:
            self.device_state, self.ac_out_power, hunger = SEARCHING, 0.0, self.eco_power
        else:
            self.device_state, self.ac_out_power, hunger = INVERTING, wanted, self.idle_power
        self.branch.drawn = (self.ac_out_power / _EFFICIENCY + hunger) / self.bank.voltage

    def _look_at_voltage(self) -> None:
        limit = self.restart_voltage if self.alarm_reason else self.shutdown_low_voltage
        self.alarm_reason = flag_mask(AlarmReason, "low_voltage") if self.bank.voltage < limit else AlarmReason(0)

    def measure(self) -> Record:
        """Return the record of a Phoenix inverter."""
        voltage = self.ac_voltage + self.noise(0.3) if self.ac_voltage else 0.0
        apparent = self.ac_out_power / 0.95
        return fit(
            Inverter,
            device_state=self.device_state,
            alarm_reason=self.alarm_reason,
            battery_voltage=self.bank.voltage - 0.001 * self.branch.drawn + self.noise(0.01),
            ac_apparent_power=apparent,
            ac_voltage=voltage,
            ac_current=apparent / voltage if voltage else 0.0,
        )


class InverterCharger(SimulatedDevice):
    """An inverter with a charger, and on some models panels: charges from AC and sun, inverts without AC."""

    settings: ClassVar[tuple[str, ...]] = ("device_mode",)
    readings: ClassVar[tuple[str, ...]] = ("system_yield",)
    idle_power = 12.0

    def __init__(
        self, identity: Identity, bank: Bank, sky: Sky, *, mains: Habit | None, appliances: list[Appliance],
        charge_current: float, peak: float = 0.0,
    ) -> None:  # fmt: skip
        super().__init__(identity)
        self.bank = bank
        self.branch = bank.attach()
        self.cycle = ChargeCycle(bank)
        self.mains = mains
        self.appliances = appliances
        self.charge_current = charge_current
        """A of the charger on AC."""
        self.harvest = Harvest(identity.seed, sky, PvArray(peak, voltage=300.0), bank)
        self.device_mode = int(code(DeviceMode, "on"))
        self.device_state: DeviceState = OFF
        self.ac_out_power = self.ac_in_power = self.pv_power = 0.0
        self.has_ac = False
        self._solar_current = 0.0
        self._pv_voltage = 0.0

    @property
    def battery_current(self) -> float:
        """A, positive while charging."""
        return self.branch.net

    @property
    def yield_today(self) -> float:
        """kWh."""
        return self.harvest.today.energy

    @property
    def system_yield(self) -> float:
        """kWh since manufacture."""
        return self.harvest.total

    def history(self, ago: int) -> DayHistory:
        """Return the solar day `ago` days before today (0 to 30)."""
        return self.harvest.day(ago)

    def prepare(self, moment: Moment) -> None:
        """Take AC if it is there, else the battery, and the sun in any case."""
        working = self.device_mode in ON_MODES and not self.bank.cut_off
        self.has_ac = bool(self.mains and self.mains.is_on(moment)) and self.device_mode in ON_MODES
        wanted = sum(appliance.power(moment) for appliance in self.appliances)
        self.ac_out_power = wanted if working or self.has_ac else 0.0
        hunger = self.ac_out_power / _EFFICIENCY + self.idle_power
        self.branch.drawn = hunger / self.bank.voltage if working and not self.has_ac else 0.0
        self._solar_current = self._sun(moment)
        offered = self._solar_current + (self.charge_current if self.has_ac else 0.0)
        if offered > 0:
            self.cycle.start()
        else:
            self.cycle.stop()
        self.branch.available, self.branch.setpoint = offered, self.cycle.setpoint
        self.device_state = (INVERTING if working else OFF) if not self.has_ac else self.cycle.state

    def _sun(self, moment: Moment) -> float:
        array = self.harvest.array
        self._pv_voltage = array.terminal_voltage(moment.irradiance)
        return array.power(moment.irradiance, moment.air, moment.hour) * _SOLAR_EFFICIENCY / self.bank.voltage

    def finish(self, moment: Moment) -> None:
        """Share the charge current out: the sun first, AC gives the rest."""
        self.cycle.advance(moment.dt)
        solar = min(self.branch.current, self._solar_current)
        self.pv_power = solar * self.bank.voltage / _SOLAR_EFFICIENCY
        charging = (self.branch.current - solar) * self.bank.voltage / _EFFICIENCY
        self.ac_in_power = self.ac_out_power + charging if self.has_ac else 0.0
        self.harvest.note(
            moment, power=self.pv_power, voltage=self.bank.voltage, current=self.branch.current,
            pv_voltage=self._pv_voltage, state=self.cycle.state,
        )  # fmt: skip


class MultiPlus(InverterCharger):
    """A MultiPlus behind a VE.Bus Smart dongle; it has no panels."""

    def measure(self) -> Record:
        """Return the record of the dongle."""
        return fit(
            VeBus,
            device_state=self.device_state,
            vebus_error=code(VeBusError, "none"),
            battery_current=self.battery_current,
            battery_voltage=self.bank.voltage + self.noise(0.01),
            active_ac_in=AC_IN if self.has_ac else NO_AC_IN,
            active_ac_in_power=self.ac_in_power + self.noise(2),
            ac_out_power=self.ac_out_power + self.noise(2),
            alarm=code(VeBusAlarm, "none"),
            battery_temperature=self.bank.temperature,
            state_of_charge=min(100 * self.bank.state_of_charge, 100),
        )


class MultiRsSolar(InverterCharger):
    """A Multi RS Solar: 48 V, panels, AC in and out."""

    def measure(self) -> Record:
        """Return the record of a Multi RS; the input power is absent without AC."""
        return fit(
            MultiRs,
            device_state=self.device_state,
            charger_error=NO_ERROR,
            battery_current=self.battery_current,
            battery_voltage=self.bank.voltage + self.noise(0.02),
            active_ac_in=AC_IN if self.has_ac else NO_AC_IN,
            active_ac_in_power=self.ac_in_power if self.has_ac else None,
            ac_out_power=self.ac_out_power + self.noise(2),
            pv_power=self.pv_power,
            yield_today=self.yield_today,
        )


class InverterRsSolar(InverterCharger):
    """An Inverter RS Solar: 48 V, panels, no AC input."""

    def measure(self) -> Record:
        """Return the record of an Inverter RS."""
        return fit(
            InverterRs,
            device_state=self.device_state,
            charger_error=NO_ERROR,
            battery_voltage=self.bank.voltage + self.noise(0.02),
            battery_current=self.battery_current,
            pv_power=self.pv_power,
            yield_today=self.yield_today,
            ac_out_power=self.ac_out_power + self.noise(2),
        )
