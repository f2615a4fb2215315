"""Chargers: what solar, DC and AC chargers have in common, and the DC and AC ones."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from bluewatt.schema import Record
from bluewatt.services.device_identity import Identity
from bluewatt.services.simulator.appliances import Habit, Moment, Use
from bluewatt.services.simulator.battery import Bank
from bluewatt.services.simulator.charging import OFF, ChargeCycle
from bluewatt.services.simulator.device import SimulatedDevice
from bluewatt.services.simulator.values import code, fit, flag_mask
from bluewatt.tables.enums import ChargerError, DeviceState, OffReason, code_class
from bluewatt.tables.records.ac_charger import AcCharger
from bluewatt.tables.records.dcdc_converter import DcdcConverter
from bluewatt.tables.records.orion_xs import OrionXs

DeviceMode = code_class("device_mode")
CHARGER_ON, CHARGER_OFF = code(DeviceMode, "charger_only"), code(DeviceMode, "off")
LowCurrentMode = code_class("low_current_mode")
LOW_CURRENT_OFF, LOW_CURRENT_NIGHT = code(LowCurrentMode, "off"), code(LowCurrentMode, "night")
NO_ERROR = code(ChargerError, "none")
MAINS_VOLTAGE = 230.0

CABLE = 0.002
"""Ohm from a charger to the battery: its own voltage is a little higher."""


class Charger(SimulatedDevice, ABC):
    """Anything that charges a bank. `device_mode` switches it, its voltages and its limit are obeyed at once."""

    rated_current: float = 30.0
    settings: ClassVar[tuple[str, ...]] = (
        "device_mode", "absorption_voltage", "float_voltage", "absorption_time_limit", "battery_maximum_current",
    )  # fmt: skip
    readings: ClassVar[tuple[str, ...]] = (
        "charger_current", "charger_voltage", "charger_power", "charger_maximum_current", "internal_temperature",
    )  # fmt: skip

    def __init__(self, identity: Identity, bank: Bank) -> None:
        super().__init__(identity)
        self.bank = bank
        self.branch = bank.attach()
        self.cycle = ChargeCycle(bank)
        self.device_mode = int(CHARGER_ON)
        self.battery_maximum_current = self.rated_current
        """A, the limit the owner set."""
        self.charger_maximum_current = self.rated_current
        self.internal_temperature = 20.0

    @property
    def charger_on(self) -> bool:
        """Whether the mode lets it charge."""
        return self.device_mode == CHARGER_ON

    @charger_on.setter
    def charger_on(self, on: bool) -> None:
        self.device_mode = int(CHARGER_ON if on else CHARGER_OFF)

    @property
    def absorption_voltage(self) -> float:
        """V of the bank."""
        return self.cycle.absorption_voltage

    @absorption_voltage.setter
    def absorption_voltage(self, volts: float) -> None:
        self.cycle.absorption_voltage = volts

    @property
    def float_voltage(self) -> float:
        """V of the bank."""
        return self.cycle.float_voltage

    @float_voltage.setter
    def float_voltage(self, volts: float) -> None:
        self.cycle.float_voltage = volts

    @property
    def absorption_time_limit(self) -> float:
        """Hours."""
        return self.cycle.absorption_time / 3600

    @absorption_time_limit.setter
    def absorption_time_limit(self, hours: float) -> None:
        self.cycle.absorption_time = hours * 3600

    @property
    def device_state(self) -> DeviceState:
        """Off, bulk, absorption or float."""
        return self.cycle.state

    @property
    def charger_current(self) -> float:
        """A into the bank."""
        return self.branch.current

    @property
    def charger_voltage(self) -> float:
        """V at its own terminals."""
        return self.bank.voltage + CABLE * self.branch.current

    @property
    def charger_power(self) -> float:
        """W into the bank."""
        return self.charger_voltage * self.charger_current

    @abstractmethod
    def possible(self, moment: Moment) -> float:
        """Return the A that its source could give now; 0 without a source."""

    def prepare(self, moment: Moment) -> None:
        """Offer what the source gives and the limit allows."""
        offered = min(self.possible(moment), self.battery_maximum_current, self.rated_current)
        if offered > 0 and self.charger_on:
            self.cycle.start()
        else:
            self.cycle.stop()
            offered = 0.0
        self.branch.available = offered
        self.branch.setpoint = self.cycle.setpoint

    def finish(self, moment: Moment) -> None:
        """Follow the charge algorithm and warm up with the current."""
        self.cycle.advance(moment.dt)
        warmth = moment.air + 3 + 25 * self.branch.current / self.rated_current
        self.internal_temperature += (warmth - self.internal_temperature) * min(moment.dt / 600, 1.0)


class StarterBattery:
    """The engine's battery: near 14.3 V while the alternator runs, near 12.7 V else."""

    def __init__(self, engine: Habit) -> None:
        self.engine = engine
        self.running = False
        self.since = 0.0
        """Seconds the engine has been running, or standing."""
        self.voltage = 12.7

    def advance(self, moment: Moment) -> None:
        """Let a tick pass."""
        running = self.engine.is_on(moment)
        self.since = moment.dt if running != self.running else self.since + moment.dt
        self.running = running
        target, seconds = (14.3, 20.0) if running else (12.68, 900.0)
        self.voltage += (target - self.voltage) * min(moment.dt / seconds, 1.0)


class DcdcCharger(Charger):
    """An Orion-Tr Smart between the starter battery and the bank; it charges while the engine runs."""

    detection_delay = 30.0
    """Seconds it looks at the input before it starts."""

    def __init__(self, identity: Identity, bank: Bank, starter: StarterBattery) -> None:
        super().__init__(identity, bank)
        self.starter = starter

    @property
    def input_voltage(self) -> float:
        """V of the starter battery."""
        return self.starter.voltage

    @property
    def off_reason(self) -> OffReason:
        """Why it does not charge."""
        if not self.charger_on:
            return flag_mask(OffReason, "soft_switch")
        if not self.starter.running:
            return flag_mask(OffReason, "engine_shutdown")
        if self.starter.since < self.detection_delay:
            return flag_mask(OffReason, "analysing_input")
        return flag_mask(OffReason)

    def possible(self, moment: Moment) -> float:
        """Return all it can give once the alternator is seen to charge (A)."""
        ready = self.starter.running and self.starter.since >= self.detection_delay
        return self.rated_current if ready else 0.0

    def measure(self) -> Record:
        """Return the record; the output voltage is absent while it is off, as in captures."""
        on = self.device_state != OFF
        return fit(
            DcdcConverter,
            device_state=self.device_state,
            charger_error=NO_ERROR,
            input_voltage=self.input_voltage + self.noise(0.015),
            output_voltage=self.charger_voltage + self.noise(0.01) if on else None,
            off_reason=self.off_reason,
        )


class OrionXsCharger(DcdcCharger):
    """An Orion XS, whose record has its currents as well."""

    rated_current = 50.0
    efficiency = 0.985

    def measure(self) -> Record:
        """Return the record with all four voltages and currents."""
        on = self.device_state != OFF
        current = self.charger_current + self.noise(0.06) if on else 0.0
        return fit(
            OrionXs,
            device_state=self.device_state,
            charger_error=NO_ERROR,
            output_voltage=self.charger_voltage + self.noise(0.01),
            output_current=current,
            input_voltage=self.input_voltage + self.noise(0.015),
            input_current=current * self.charger_voltage / (self.input_voltage * self.efficiency),
            off_reason=self.off_reason,
        )


class MainsCharger(Charger):
    """A Blue Smart charger on shore power, one output."""

    settings: ClassVar[tuple[str, ...]] = (*Charger.settings, "low_current_mode")
    readings: ClassVar[tuple[str, ...]] = (*Charger.readings, "low_current_mode_time_left")
    efficiency = 0.92
    low_current = 0.25
    """The share of the rated current that is left in low current mode; inferred: a real IP22 of 30 A can be limited to
    7.5 A at least."""
    night = 8 * 3600.0
    """Seconds after which the night mode ends by itself (inferred)."""

    def __init__(self, identity: Identity, bank: Bank, shore: Habit) -> None:
        super().__init__(identity, bank)
        self.shore = shore
        self._low_current_mode = int(LOW_CURRENT_OFF)
        self._night_left = 0.0

    @property
    def low_current_mode(self) -> int:
        """Off, on, or night, which ends by itself."""
        return self._low_current_mode

    @low_current_mode.setter
    def low_current_mode(self, mode: int) -> None:
        self._low_current_mode = int(mode)
        self._night_left = self.night if mode == LOW_CURRENT_NIGHT else 0.0

    @property
    def low_current_mode_time_left(self) -> float:
        """Seconds of the night mode that are left."""
        return self._night_left

    def keep_radio_powered(self) -> None:
        """Leave the mains on at all hours: they power the radio (protocol page victronconnect-gatt, section 15)."""
        self.shore = Habit(0, 0.0, Use(hour=0.0, minutes=24 * 60.0, spread=0.0))

    def possible(self, moment: Moment) -> float:
        """Return all it can give while the mains are on, a part of it in low current mode (A)."""
        share = 1.0 if self._low_current_mode == LOW_CURRENT_OFF else self.low_current
        return self.rated_current * share if self.shore.is_on(moment) else 0.0

    def finish(self, moment: Moment) -> None:
        """Let the night mode run out as well."""
        super().finish(moment)
        if self._low_current_mode == LOW_CURRENT_NIGHT:
            self._night_left = max(self._night_left - moment.dt, 0.0)
            if not self._night_left:
                self.low_current_mode = int(LOW_CURRENT_OFF)

    def measure(self) -> Record:
        """Return the record; the second and third output are absent."""
        mains = self.charger_power / self.efficiency / MAINS_VOLTAGE
        return fit(
            AcCharger,
            device_state=self.device_state,
            charger_error=NO_ERROR,
            battery_voltage_1=self.charger_voltage + self.noise(0.01),
            battery_current_1=self.charger_current,
            temperature=self.internal_temperature,
            ac_current=mains if self.device_state != OFF else 0.0,
        )
