"""Batteries that advertise, their management systems, and the BatteryProtect between battery and loads."""

from __future__ import annotations

import struct
from typing import ClassVar

from bluewatt.schema import Record
from bluewatt.services.chance import chance
from bluewatt.services.device_identity import Identity
from bluewatt.services.simulator.appliances import Appliance, Moment
from bluewatt.services.simulator.battery import Bank, rest_voltage
from bluewatt.services.simulator.charging import OFF
from bluewatt.services.simulator.device import SimulatedDevice
from bluewatt.services.simulator.devices.charger import CHARGER_OFF, NO_ERROR, DeviceMode
from bluewatt.services.simulator.devices.monitor import ShuntMonitor
from bluewatt.services.simulator.values import code, fit, flag_mask, groups
from bluewatt.tables.enums import (
    AlarmReason,
    BalancerStatus,
    BmsError,
    BmsFlags,
    BmsIoStatus,
    BmsWarnings,
    DeviceState,
    OffReason,
    OutputState,
    SmartLithiumError,
)
from bluewatt.tables.records.lynx_smart_bms import LynxSmartBms
from bluewatt.tables.records.smart_battery_protect import SmartBatteryProtect
from bluewatt.tables.records.smart_bms import SmartBms
from bluewatt.tables.records.smart_lithium import SmartLithium

# On a BatteryProtect the number of "load detect" means that it is on (protocol page instant-readout, section 6.1).
ACTIVE = code(DeviceState, "load_detect")
_UNKNOWN_HEAD, _UNKNOWN_TAIL = bytes(3), bytes.fromhex("0018251100")


class LithiumBattery(SimulatedDevice):
    """A Smart Lithium battery: the bank itself, cell by cell."""

    def __init__(self, identity: Identity, bank: Bank) -> None:
        super().__init__(identity)
        self.bank = bank

    @property
    def cell_voltages(self) -> tuple[float, ...]:
        """V; the cells differ by some millivolts, more near full."""
        mean = self.bank.voltage / self.bank.cells
        spread = 0.004 + 0.04 * max(self.bank.state_of_charge - 0.97, 0) / 0.03
        return tuple(
            mean + spread * (2 * chance(self.seed, 100 + cell) - 1) for cell in range(min(self.bank.cells, 8))
        )  # fmt: skip

    @property
    def bms_flags(self) -> BmsFlags:
        """The flags of the battery's own management."""
        bank, keys = self.bank, ["allowed_to_charge"]
        keys += [] if bank.cut_off else ["allowed_to_discharge"]
        keys += ["charging"] if bank.current > 0.1 else ["discharging"] if bank.current < -0.1 else []
        keys += ["charged"] if bank.state_of_charge >= 0.99 else []
        keys += ["warn_under_voltage", "low_soc"] if bank.state_of_charge < 0.1 else []
        keys += ["discharged", "alarm_under_voltage"] if bank.cut_off else []
        keys += ["balancing"] if self._balancing else []
        return flag_mask(BmsFlags, *keys)

    @property
    def _balancing(self) -> bool:
        return self.bank.voltage > self.bank.cells * rest_voltage(0.995)

    def measure(self) -> Record:
        """Return the record of a Smart Lithium battery."""
        return fit(
            SmartLithium,
            bms_flags=self.bms_flags,
            smart_lithium_error=SmartLithiumError(0),
            cell_voltages=self.cell_voltages + (None,) * (8 - len(self.cell_voltages)),
            battery_voltage=self.bank.voltage + self.noise(0.01),
            balancer_status=code(BalancerStatus, "balancing" if self._balancing else "balanced"),
            battery_temperature=self.bank.temperature,
        )


class LynxBms(ShuntMonitor):
    """A Lynx Smart BMS: battery monitor, contactor and alarms of the 48 V bank."""

    def measure(self) -> Record:
        """Return the record of a Lynx Smart BMS."""
        ok = "no" if self.bank.cut_off else "yes"
        low = "warning" if self.alarm_reason else "ok"
        return fit(
            LynxSmartBms,
            bms_error=code(BmsError, "none"),
            time_to_go=self.time_to_go,
            battery_voltage=self.bank.voltage + self.noise(0.02),
            battery_current=self.battery_current + self.noise(0.04),
            io_status=groups(
                BmsIoStatus, contactor=ok, allowed_to_charge="yes", allowed_to_discharge=ok, user_relay="no",
                aux_output="no", remote="yes", alternator_allowed_to_charge="yes",
            ),
            warnings_alarms=groups(
                BmsWarnings, contactor_resistance="ok", bms_cable="ok", load_disconnect="ok", low_soc=low,
                high_temperature="ok",
            ),
            state_of_charge=self.state_of_charge,
            consumed_charge=self.consumed_charge,
            battery_temperature=self.bank.temperature,
        )  # fmt: skip


class UnknownBms(SimulatedDevice):
    """A Smart BMS, whose layout nobody has published: bytes like those of the one public record.

    Its words at byte 3, 5 and 7 read like voltages (inferred, protocol page instant-readout, section 4).
    """

    def __init__(self, identity: Identity, bank: Bank) -> None:
        super().__init__(identity)
        self.bank = bank

    def measure(self) -> Record:
        """Return a record of fourteen bytes without a layout."""
        volts = round(100 * (self.bank.voltage + self.noise(0.01)))
        return SmartBms(
            _UNKNOWN_HEAD + struct.pack("<3H", volts, max(volts - 1, 0), max(volts - 41, 0)) + _UNKNOWN_TAIL
        )


class BatteryProtector(SimulatedDevice):
    """A Smart BatteryProtect: it cuts its loads off before the battery is empty. `device_mode` switches it."""

    # What the one capture shows; its meaning is not known (protocol page instant-readout, section 1).
    identifier = 0x80
    settings: ClassVar[tuple[str, ...]] = ("device_mode",)
    delay = 90.0
    """Seconds the voltage has to be low."""

    def __init__(self, identity: Identity, bank: Bank, appliances: list[Appliance]) -> None:
        super().__init__(identity)
        blocks = bank.cells / 4
        self.bank = bank
        self.branch = bank.attach()
        self.appliances = appliances
        self.device_mode = int(code(DeviceMode, "on"))
        self.shutdown_voltage, self.warning_voltage = 11.8 * blocks, 12.3 * blocks
        self.restart_voltage = 12.9 * blocks
        self.is_cut_off = False
        self._low_for = 0.0

    @property
    def load_output(self) -> bool:
        """Whether the loads have power; set to switch them."""
        return self.device_mode != CHARGER_OFF and not self.is_cut_off

    @load_output.setter
    def load_output(self, on: bool) -> None:
        self.device_mode = int(code(DeviceMode, "on") if on else CHARGER_OFF)

    def prepare(self, moment: Moment) -> None:
        """Draw what the loads take, if they have power."""
        self._low_for = self._low_for + moment.dt if self.bank.voltage < self.shutdown_voltage else 0.0
        self.is_cut_off = (
            self.bank.voltage < self.restart_voltage if self.is_cut_off else self._low_for >= self.delay
        )  # fmt: skip
        wanted = sum(appliance.power(moment) for appliance in self.appliances)
        self.branch.drawn = wanted / self.bank.voltage if self.load_output else 0.0

    @property
    def off_reason(self) -> OffReason:
        """Why the loads have no power."""
        soft = flag_mask(OffReason, "soft_switch") if self.device_mode == CHARGER_OFF else 0
        return OffReason(soft | (flag_mask(OffReason, "low_battery") if self.is_cut_off else 0))

    def measure(self) -> Record:
        """Return the record; the alarm stays while the loads are cut off, the warning ends with the low voltage."""
        low, on = flag_mask(AlarmReason, "low_voltage"), self.load_output
        voltage = self.bank.voltage + self.noise(0.01)
        return fit(
            SmartBatteryProtect,
            device_state=ACTIVE if on else OFF,
            output_state=code(OutputState, "on" if on else "off"),
            error_code=NO_ERROR,
            alarm_reason=low if self.is_cut_off else AlarmReason(0),
            warning_reason=low if self.bank.voltage < self.warning_voltage else AlarmReason(0),
            input_voltage=voltage,
            output_voltage=voltage - 0.0015 * self.branch.drawn if on else 0.0,
            off_reason=self.off_reason,
        )
