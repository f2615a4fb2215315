"""The metrics: every quantity a device reports, once, with its unit, its label and what is physically possible.

A row name of a record is a metric key. `low` and `high` cover the widest thing any record, register or product can
mean by the field, from a cell in the arctic to a GX device that reports a factory roof: only what lies outside is
removed from a reading. `usual` is narrower: what hardly any installation leaves, but most records opened with a wrong
key do. It weighs as evidence about the key and never hides a value. `jump` is the largest change in a second that
passes without a mark. All of them are our own, and generous; a test compares them with each other and with the records.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from bluewatt.tables.registers import Register


class Metric(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One quantity, wherever it comes from: advertisement, register or VE.Direct label."""

    key: str
    label: str
    """The name for people: a noun in sentence case."""
    unit: str = ""
    low: float | None = None
    """The lowest possible value, in `unit`."""
    high: float | None = None
    """The highest possible value, in `unit`."""
    usual: tuple[float, float] | None = None
    """The range of nearly all values, for judging keys, in `unit`; None if it is from `low` to `high`."""
    jump: float | None = None
    """The largest change in a second that is not marked as doubtful, in `unit`."""
    device_class: str = ""
    """The device class of Home Assistant; empty if there is none."""
    counter: bool = False
    """Whether it is a total that only rises until it is reset."""


_HIGHEST_VOLTAGE = 400
"""Volts: a BMV-700H measures batteries of up to 385 V; all other batteries have 12 to 48 V, at most 80 V."""
_MOST_CURRENT = 3_300
"""Amperes: past the range of every current in a record (a shunt for 2,000 A, overloaded)."""
_MOST_POWER = 1_400_000
"""Watts: more than `_HIGHEST_VOLTAGE` times `_MOST_CURRENT`, and past the range of every power in a record."""


def _volts(
    key: str, label: str, *, high: float = 80, usual: tuple[float, float] | None = None, jump: float = 8
) -> Metric:
    return Metric(key=key, label=label, unit="V", low=-1, high=high, usual=usual, jump=jump, device_class="voltage")


def _amperes(
    key: str, label: str, *, low: float = -_MOST_CURRENT, high: float = _MOST_CURRENT,
    usual: tuple[float, float] | None = None, jump: float = 50,
) -> Metric:  # fmt: skip
    return Metric(key=key, label=label, unit="A", low=low, high=high, usual=usual, jump=jump, device_class="current")


def _watts(key: str, label: str, *, low: float = 0, usual: tuple[float, float] | None = None) -> Metric:
    return Metric(
        key=key, label=label, unit="W", low=low, high=_MOST_POWER, usual=usual, jump=3000, device_class="power"
    )


def _celsius(key: str, label: str) -> Metric:
    return Metric(
        key=key, label=label, unit="°C", low=-60, high=150, usual=(-40, 120), jump=25, device_class="temperature"
    )


def _kilowatt_hours(key: str, label: str) -> Metric:
    return Metric(
        key=key, label=label, unit="kWh", low=0, high=33_600, usual=(0, 400), jump=20, device_class="energy",
        counter=True,
    )  # fmt: skip


def _state(key: str, label: str) -> Metric:
    return Metric(key=key, label=label, device_class="enum")


def _set(key: str, label: str) -> Metric:
    return Metric(key=key, label=label)


_ROWS = (
    _state("device_state", "State"),
    _state("charger_error", "Charger error"),
    _state("error_code", "Error"),
    _state("output_state", "Output"),
    _state("aux_mode", "Auxiliary input"),
    _state("monitor_mode", "Monitor mode"),
    _state("balancer_status", "Balancer"),
    _state("bms_error", "BMS error"),
    _state("vebus_error", "VE.Bus error"),
    _state("active_ac_in", "Active AC input"),
    _state("alarm", "Alarm"),
    _set("alarm_reason", "Alarm reason"),
    _set("warning_reason", "Warning reason"),
    _set("off_reason", "Off reason"),
    _set("bms_flags", "BMS flags"),
    _set("smart_lithium_error", "Battery error"),
    _set("io_status", "BMS inputs and outputs"),
    _set("warnings_alarms", "BMS warnings and alarms"),
    _volts("battery_voltage", "Battery voltage", high=_HIGHEST_VOLTAGE, usual=(-1, 80)),
    _volts("battery_voltage_1", "Battery voltage, output 1", high=82, usual=(-1, 80)),
    _volts("battery_voltage_2", "Battery voltage, output 2", high=82, usual=(-1, 80)),
    _volts("battery_voltage_3", "Battery voltage, output 3", high=82, usual=(-1, 80)),
    _volts("starter_voltage", "Starter battery voltage"),
    _volts("midpoint_voltage", "Midpoint voltage"),
    _volts("input_voltage", "Input voltage"),
    _volts("output_voltage", "Output voltage"),
    _volts("cell_voltages", "Cell voltages", high=5, jump=1.5),
    _volts("sensor_battery_voltage", "Sensor battery voltage", high=5, jump=1),
    _volts("ac_voltage", "AC voltage", high=330, usual=(-1, 300), jump=60),
    _amperes("battery_current", "Battery current", usual=(-2_000, 2_000), jump=150),
    _amperes("battery_current_1", "Battery current, output 1", low=0, high=210),
    _amperes("battery_current_2", "Battery current, output 2", low=0, high=210),
    _amperes("battery_current_3", "Battery current, output 3", low=0, high=210),
    _amperes("load_current", "Load current", low=0, high=60),
    _amperes("input_current", "Input current", low=-200, high=200),
    _amperes("output_current", "Output current", low=-200, high=200),
    _amperes("ac_current", "AC current", low=0, high=210),
    _watts("pv_power", "Solar power", usual=(0, 30_000)),
    _watts("installation_power", "Expected solar power", usual=(0, 1_000_000)),
    _watts("ac_out_power", "AC output power", low=-_MOST_POWER, usual=(-150_000, 150_000)),
    _watts("active_ac_in_power", "AC input power", low=-_MOST_POWER, usual=(-150_000, 150_000)),
    _watts("battery_power", "Battery power", low=-_MOST_POWER, usual=(-150_000, 150_000)),
    _watts("dc_power", "DC loads power", low=-_MOST_POWER, usual=(-150_000, 150_000)),
    Metric(key="ac_apparent_power", label="AC apparent power", unit="VA", low=0, high=70_000, usual=(0, 15_000),
           jump=3000, device_class="apparent_power"),
    _kilowatt_hours("yield_today", "Yield today"),
    Metric(key="state_of_charge", label="State of charge", unit="%", low=0, high=100, jump=20, device_class="battery"),
    Metric(key="consumed_charge", label="Consumed charge", unit="Ah", low=-105_000, high=0,
           usual=(-20_000, 0), jump=500),
    Metric(key="time_to_go", label="Time to go", unit="min", low=0, high=65_534, device_class="duration"),
    Metric(key="uptime", label="Uptime", unit="s", low=0, high=0x3FFFFFFE, jump=600, device_class="duration"),
    Metric(key="time_since_last_sun", label="Time since last sun", unit="min", low=0, high=1_650,
           device_class="duration"),
    _celsius("temperature", "Temperature"),
    _celsius("battery_temperature", "Battery temperature"),
    _celsius("cell_temperature", "Solar cell temperature"),
    Metric(key="irradiance", label="Irradiance", unit="W/m²", low=0, high=1_640, usual=(0, 1_600),
           jump=900, device_class="irradiance"),
    Metric(key="tx_power", label="Transmit power", unit="dBm", low=0, high=20, device_class="signal_strength"),
)  # fmt: skip

_SPELLINGS = {
    word.lower(): word
    for word in (
        "AC", "BLE", "BMS", "BMV", "DC", "FET", "GPS", "ID", "LED", "MAC", "MPPT", "PIN", "PUK", "PV", "SIM", "SOC",
        "TTG", "VREG", "L1", "L2", "L3",
    )
} | {"aux": "auxiliary"}  # fmt: skip


_BY_UNIT: dict[str, Metric] = {
    row.unit: row
    for row in (
        Metric(key="", label="", unit="V", low=-1, high=1_000, device_class="voltage"),
        Metric(key="", label="", unit="A", low=-10_000, high=10_000, device_class="current"),
        Metric(key="", label="", unit="W", low=-10_000_000, high=10_000_000, device_class="power"),
        Metric(key="", label="", unit="VA", low=-10_000_000, high=10_000_000, device_class="apparent_power"),
        Metric(key="", label="", unit="Hz", low=0, high=100, device_class="frequency"),
        Metric(key="", label="", unit="°C", low=-60, high=200, device_class="temperature"),
        Metric(key="", label="", unit="%", low=-100, high=100),
        Metric(key="", label="", unit="kWh", low=0, device_class="energy", counter=True),
        Metric(key="", label="", unit="kVAh", low=0, counter=True),
        Metric(key="", label="", unit="s", low=0, device_class="duration"),
        Metric(key="", label="", unit="min", low=0, device_class="duration"),
        Metric(key="", label="", unit="h", low=0, device_class="duration"),
    )
}
"""Unit → the properties of a metric that only registers measure.

The limits are wider than those of any metric with that unit; a power reaches as far as a voltage times a current.
"""


def label_of_key(key: str) -> str:
    """Return a key as people say it ("ac_out_power" is "AC out power"), for what has no label of its own."""
    words = " ".join(_SPELLINGS.get(word, word) for word in key.split("_"))
    return words[:1].upper() + words[1:]


METRICS: dict[str, Metric] = {metric.key: metric for metric in _ROWS}
"""All metrics by key."""


def metric(key: str) -> Metric | None:
    """Return the metric that advertisements carry under a key; None for any other key."""
    return METRICS.get(key)


def metrics() -> Iterator[Metric]:
    """Return all metrics in table order."""
    return iter(_ROWS)


def any_metric(key: str) -> Metric | None:
    """Return the metric of a key from either table; None for a key that is no metric."""
    return METRICS.get(key) or register_metrics().get(key)


@cache
def register_metrics() -> dict[str, Metric]:
    """Return the metrics that only registers measure (phases, trackers, history), by key, from the register table."""
    from bluewatt.tables.registers import registers  # here: metrics of advertisements need no registers

    rows = {row.metric: row for row in registers() if row.metric and row.metric not in METRICS}
    return {key: _metric(row) for key, row in rows.items()}


def _metric(row: Register) -> Metric:
    key = row.metric or row.key
    label = label_of_key(key)
    if row.enum:
        return Metric(key=key, label=label, device_class="enum" if row.type.startswith("enum") else "")
    like = _BY_UNIT.get(row.unit, Metric(key="", label="", unit=row.unit))
    return Metric(
        key=key, label=label, unit=row.unit, low=like.low, high=like.high,
        device_class=like.device_class, counter=like.counter,
    )  # fmt: skip
