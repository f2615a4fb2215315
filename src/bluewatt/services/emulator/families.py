"""The emulated families as data: their identity, the registers they answer, what may be written.

A row names a register by its key in the register table, which knows number, type and scale. Which registers a family
has, and on which instance, follows the protocol page victronconnect-gatt (sections 12 and 15); a register that no row
names is answered with "unknown register", as real devices do.
"""

from __future__ import annotations

from typing import Any

import msgspec

from bluewatt.schema import Record
from bluewatt.tables.gatt import DATA_INSTANCE, DEFAULT_DATA_INSTANCE
from bluewatt.tables.records.ac_charger import AcCharger
from bluewatt.tables.records.battery_monitor import BatteryMonitor
from bluewatt.tables.records.dcdc_converter import DcdcConverter
from bluewatt.tables.records.inverter import Inverter
from bluewatt.tables.records.solar_charger import SolarCharger
from bluewatt.wire.victronconnect.device import CHARGER, INVERTER, NEW, OLD, Personality

RADIO_INSTANCE = 0
"""The instance of the Bluetooth part: names, PIN, key, networking; on single-chip products also of everything else."""


class EmulatedRegister(msgspec.Struct, frozen=True, kw_only=True):
    """A register that a family answers."""

    register: str
    """The key in the register table."""
    value: str = ""
    """The key of the value it shows, if that is neither the register's metric nor its key."""
    fixed: Any = None
    """The value it shows as long as no other is known."""
    writable: bool = False
    """Whether a client may set it; the value is remembered."""
    allowed: tuple[int, ...] = ()
    """The numbers that may be written; empty: whatever the register can hold."""
    lowest: float | None = None
    """The lowest value it can be set to: a lower one is accepted and becomes this."""
    guarded: bool = False
    """Whether it may be written only while the battery type is "user" (section 9, single source)."""
    passing: bool = False
    """Whether what is written is not remembered, since the device goes on measuring it."""
    command: bool = False
    """Whether a write runs a command and no value is kept."""


class Family(msgspec.Struct, frozen=True, kw_only=True):
    """One family of emulated devices."""

    key: str
    """The word on the command line."""
    title: str
    product_id: int
    place: str
    """The beginning of the local name of its plant in the simulated site."""
    name: str
    """The local name; "{serial}" stands for the serial number."""
    table: str
    """The family in the register and product tables."""
    firmware: str
    record: type[Record]
    """The record it advertises."""
    service_prefix: int = 0xCD55
    """The first half of the service UUID that names the product (section 1; cd54 was seen for an Orion)."""
    personality: Personality = NEW
    mtu: int = 77
    """The largest MTU the device agrees to (section 3: 23 and 77 were seen)."""
    live: tuple[EmulatedRegister, ...]
    """Measured values: subscribers are notified of their changes."""
    kept: tuple[EmulatedRegister, ...] = ()
    """History, limits and settings: sent on request only."""
    shunt_service: bool = False
    """Whether it has the documented SmartShunt service."""
    second_service: bool = False
    """Whether the data service is there twice (section 2, Orion-Tr)."""

    @property
    def data_instance(self) -> int:
        """The instance that holds the data (section 0, fact 7)."""
        return DATA_INSTANCE.get(self.table, DEFAULT_DATA_INSTANCE)

    @property
    def instances(self) -> tuple[tuple[int, int], ...]:
        """The instances that GetDevices lists, each with its kind (section 5.2; kind 1 of a product: inferred)."""
        if self.data_instance == RADIO_INSTANCE:
            return ((RADIO_INSTANCE, 0),)
        return ((RADIO_INSTANCE, 0), (1, 0), (self.data_instance, 1))


class Generation(msgspec.Struct, frozen=True, kw_only=True):
    """A generation of firmware other than the family's own."""

    personality: Personality
    mtu: int
    absent: frozenset[str]
    """Keys of registers that the instance of the Bluetooth part does not have."""


def _rows(*registers: str) -> tuple[EmulatedRegister, ...]:
    return tuple(EmulatedRegister(register=register) for register in registers)


def _settings(**fixed: Any) -> tuple[EmulatedRegister, ...]:
    return tuple(EmulatedRegister(register=register, fixed=value, writable=True) for register, value in fixed.items())


USER_BATTERY = 0xFF
BATTERY_TYPE = "battery_type"

_CHARGE_SETTINGS = (
    EmulatedRegister(register=BATTERY_TYPE, fixed=USER_BATTERY, writable=True),
    EmulatedRegister(register="absorption_voltage", writable=True, guarded=True),
    EmulatedRegister(register="float_voltage", writable=True, guarded=True),
    EmulatedRegister(register="absorption_time_limit", writable=True),
    *_settings(system_voltage=12, rebulk_voltage_offset=0.1, tail_current=2.0, low_temperature_level=5.0),
)

_MONITOR_LIVE = (
    *_rows("battery_current_fine", "battery_voltage", "battery_power", "battery_current", "aux_voltage"),
    *_rows("consumed_charge_old", "time_to_go", "cumulative_discharge", "time_since_full_charge"),
    *_rows("battery_temperature", "midpoint_voltage", "midpoint_deviation", "alarm_reason"),
    # Read-only in the vendor's list; a write synchronises, as a slider in the app does (inferred).
    EmulatedRegister(register="state_of_charge", writable=True, passing=True),
)

_MONITOR_KEPT = (
    *_rows("deepest_discharge", "last_discharge", "average_discharge", "charge_cycles", "full_discharges"),
    *_rows("minimum_voltage", "maximum_voltage", "automatic_syncs", "low_voltage_alarms", "high_voltage_alarms"),
    *_rows("low_aux_voltage_alarms", "high_aux_voltage_alarms", "minimum_aux_voltage", "maximum_aux_voltage"),
    *_rows("discharged_energy", "charged_energy"),
    EmulatedRegister(register="synchronized", fixed=1),
    EmulatedRegister(register="synchronize", command=True),
    *_settings(battery_capacity=200, charged_voltage=14.0, charged_tail_current=4.0, charged_detection_time=3),
    *_settings(charge_efficiency=95, peukert_coefficient=1.05, current_threshold=0.1, time_to_go_averaging=3),
    *_settings(discharge_floor=10.0, alarm_low_soc_set=15.0, alarm_low_soc_clear=20.0, monitor_mode=0),
    *_settings(alarm_low_voltage_set=11.8, alarm_low_voltage_clear=12.4, aux_input_mode=0, alarm_buzzer_on=1),
    *_settings(alarm_high_voltage_set=0.0, alarm_high_voltage_clear=0.0, shunt_voltage=0.05, shunt_current=500),
)

SMARTSHUNT = Family(
    key="smartshunt", title="SmartShunt 500A/50mV", product_id=0xA389, place="SmartShunt", name="SmartShunt {serial}",
    table="smartshunt", firmware="4.16", record=BatteryMonitor, live=_MONITOR_LIVE, kept=_MONITOR_KEPT,
    shunt_service=True,
)  # fmt: skip

BMV712 = Family(
    key="bmv712", title="BMV-712 Smart", product_id=0xA381, place="SmartShunt", name="BMV-712 Smart {serial}",
    table="bmv", firmware="4.08", record=BatteryMonitor, live=_MONITOR_LIVE,
    kept=(*_MONITOR_KEPT, *_settings(relay_control=0, relay_mode=0, backlight=5, scroll_speed=2)),
)  # fmt: skip

MPPT = Family(
    key="mppt", title="SmartSolar MPPT 75/15", product_id=0xA053, place="SmartSolar aft", name="SmartSolar {serial}",
    table="mppt", firmware="1.61", record=SolarCharger,
    live=(
        *_rows("device_state", "device_off_reason", "error_code", "battery_voltage", "battery_current_fine"),
        *_rows("battery_current", "battery_power", "pv_voltage", "pv_power", "pv_current", "charger_voltage"),
        *_rows("charger_power", "charger_current", "internal_temperature", "yield_today", "max_power_today"),
        *_rows("load_state", "load_voltage", "load_current", "link_charge_voltage_setpoint", "battery_temperature"),
        EmulatedRegister(register="device_mode", writable=True, allowed=(0, 1, 4)),
        EmulatedRegister(register="trend_last_time_reference", value="uptime"),
    ),
    kept=(
        *_rows("yield_yesterday", "max_power_yesterday", "user_yield", "system_yield", "charger_maximum_current"),
        EmulatedRegister(register="history_version", fixed=1),
        *_rows("history_total", *(f"history_day_{ago:02d}" for ago in range(31))),
        EmulatedRegister(register="capabilities_1", fixed=["load_output", "history", "load_current", "remote_sense"]),
        EmulatedRegister(register="load_control", writable=True),
        EmulatedRegister(register="battery_maximum_current", writable=True),
        # The limits of a real SmartSolar 75/15 (single source).
        EmulatedRegister(register="voltage_range_min", fixed=8.0),
        EmulatedRegister(register="voltage_range_max", fixed=17.4),
        EmulatedRegister(register="load_offset_voltage", fixed=0.0),
        *_settings(remote_control_used=0),
        *_settings(battery_voltage_setting=12, load_switch_low_voltage=11.8, load_switch_high_voltage=12.8),
        *_CHARGE_SETTINGS,
    ),
)  # fmt: skip

PHOENIX = Family(
    key="phoenix", title="Phoenix Inverter Smart 12V 1600VA", product_id=0xA281, place="Phoenix",
    name="Phoenix {serial}", table="phoenix", firmware="1.30", record=Inverter, personality=INVERTER,
    live=(
        *_rows("device_state", "alarm_reason", "battery_voltage", "ac_out_voltage", "ac_out_current"),
        *_rows("ac_out_apparent_power", "ac_out_real_power"),
    ),
    kept=(
        EmulatedRegister(register="device_mode", writable=True, allowed=(2, 3, 4, 5)),
        *_settings(shutdown_low_voltage=11.0, eco_search_power_threshold=20, eco_search_power_clear=15),
        *_settings(ac_out_voltage_setpoint=230.0, inverter_frequency=1, eco_search_periods=8),
        *_settings(alarm_low_voltage_set=11.5, alarm_low_voltage_clear=12.0, dynamic_cutoff_enable=0),
        EmulatedRegister(register="ac_out_nominal_voltage", fixed=230),
        EmulatedRegister(register="ac_out_rated_power", fixed=1600),
        EmulatedRegister(register="system_voltage", fixed=12),
        EmulatedRegister(register="history_operating_time", fixed=1_310_400),
        EmulatedRegister(register="history_energy", fixed=212.5),
        EmulatedRegister(register="inverter_nvm_command", command=True),
    ),
)  # fmt: skip

ORION = Family(
    key="orion", title="Orion-Tr Smart 12/12-30A", product_id=0xA3C8, place="Orion", name="Orion Smart {serial}",
    table="orion", firmware="1.09", record=DcdcConverter, service_prefix=0xCD54, mtu=23, second_service=True,
    personality=CHARGER,
    live=(
        # A real one sends its uptime each second (single source).
        *_rows("device_state", "device_off_reason", "error_code", "input_voltage", "uptime"),
        EmulatedRegister(register="battery_voltage", value="output_voltage"),
        *_rows("charger_voltage", "charger_current", "internal_temperature"),
    ),
    kept=(
        *_rows("charger_maximum_current"),
        # A real one has this register; its content is not known.
        EmulatedRegister(register="capabilities_1",
        fixed=["adaptive_mode", "remote_on_off", "remote_sense", "power_supply"]),
        EmulatedRegister(register="device_mode", writable=True, allowed=(0, 1, 4)),
        *_settings(device_function=0, engine_shutdown_voltage=13.1, engine_start_voltage=13.5),
        *_settings(engine_delayed_start_voltage=13.3, engine_start_delay=120),
        *_CHARGE_SETTINGS,
    ),
)  # fmt: skip

IP22 = Family(
    key="ip22", title="Blue Smart IP22 Charger 12/30", product_id=0xA324, place="Blue Smart IP22",
    name="Blue Smart IP22 {serial}", table="charger", firmware="3.65", record=AcCharger, service_prefix=0xCD54,
    mtu=23, personality=CHARGER,
    live=(
        EmulatedRegister(register="device_off_reason", fixed=0),
        # The table has it as not persistent, so it ends with the power.
        EmulatedRegister(register="low_current_mode", fixed=0, writable=True, allowed=(0, 1, 2), passing=True),
        *_rows("device_state", "error_code", "charger_voltage", "charger_current", "charger_power"),
        EmulatedRegister(register="battery_voltage", value="battery_voltage_1"),
        EmulatedRegister(register="battery_current", value="battery_current_1"),
        *_rows("internal_temperature"),
    ),
    kept=(
        *_rows("charger_maximum_current", "low_current_mode_time_left"),
        EmulatedRegister(register="battery_maximum_current", writable=True, lowest=7.5),
        # What a real one of this firmware says, and refuses to have written (single source).
        EmulatedRegister(register="capabilities_1", fixed=0x40C100FC),
        EmulatedRegister(register="adaptive_mode", fixed=1),
        EmulatedRegister(register="charger_outputs", fixed=1),
        *_settings(device_function=0, storage_mode=1, bulk_time_limit=24.0),
        *(row for row in _CHARGE_SETTINGS if row.register != "rebulk_voltage_offset"),
    ),
)  # fmt: skip

FAMILIES: dict[str, Family] = {
    family.key: family for family in (SMARTSHUNT, BMV712, MPPT, PHOENIX, ORION, IP22)
}  # fmt: skip
"""Families by the word on the command line."""

OLD_FIRMWARE = Generation(
    personality=OLD, mtu=23, absent=frozenset({"serial_number", "custom_name", "ble_mode"})
)  # fmt: skip
"""The captured SmartShunt of January 2021: small packets, no keep-alive, and no documented service yet."""

GENERATIONS: dict[str, Generation | None] = {"new": None, "old": OLD_FIRMWARE}
"""Generations of firmware by the word on the command line; "new" is the family's own."""
