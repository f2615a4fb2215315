"""The metrics: every quantity a device can tell, once, with its unit, its label and what is physically possible.

A row name of a record is a metric key. `low` and `high` are the limits outside which a value cannot be true for any
product (systems of 12 to 48 V and their faults, RS and Multi with panels up to 450 V, Quattros in parallel). `jump` is
the largest change between two neighbouring samples that is believed at once: after a larger one the sample waits for
the next to say the same, so a real jump costs a second, and a flipped bit never shows. The limits are ours, drawn
wide: they are there to catch flipped bits and wrong keys, not to judge an installation.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec


class Metric(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One quantity, wherever it comes from: advertisement, register or VE.Direct label."""

    key: str
    label: str
    """What people call it; a sentence case noun."""
    unit: str = ""
    low: float | None = None
    """Below this it cannot be true; in `unit`."""
    high: float | None = None
    """Above this it cannot be true; in `unit`."""
    jump: float | None = None
    """A larger change between neighbouring samples needs a second sample to be believed; in `unit`."""
    device_class: str = ""
    """The Home Assistant device class, empty where there is none."""
    counter: bool = False
    """A total that only rises, until it is reset."""


def _volts(key: str, label: str, *, high: float = 80, jump: float = 8) -> Metric:
    return Metric(key=key, label=label, unit="V", low=-1, high=high, jump=jump, device_class="voltage")


def _amperes(key: str, label: str, *, low: float = -2000, high: float = 2000, jump: float = 50) -> Metric:
    return Metric(key=key, label=label, unit="A", low=low, high=high, jump=jump, device_class="current")


def _watts(key: str, label: str, *, low: float = 0, high: float = 30000) -> Metric:
    return Metric(key=key, label=label, unit="W", low=low, high=high, jump=3000, device_class="power")


def _celsius(key: str, label: str, *, low: float = -40, high: float = 120) -> Metric:
    return Metric(key=key, label=label, unit="°C", low=low, high=high, jump=25, device_class="temperature")


def _kilowatt_hours(key: str, label: str, *, high: float = 400) -> Metric:
    return Metric(
        key=key, label=label, unit="kWh", low=0, high=high, jump=20, device_class="energy", counter=True
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
    _volts("battery_voltage", "Battery voltage"),
    _volts("battery_voltage_1", "Battery voltage, output 1"),
    _volts("battery_voltage_2", "Battery voltage, output 2"),
    _volts("battery_voltage_3", "Battery voltage, output 3"),
    _volts("starter_voltage", "Starter battery voltage"),
    _volts("midpoint_voltage", "Midpoint voltage"),
    _volts("input_voltage", "Input voltage"),
    _volts("output_voltage", "Output voltage"),
    _volts("cell_voltages", "Cell voltages", high=5, jump=1.5),
    _volts("sensor_battery_voltage", "Sensor battery voltage", high=5, jump=1),
    _volts("ac_voltage", "AC voltage", high=300, jump=60),
    _amperes("battery_current", "Battery current", jump=150),
    _amperes("battery_current_1", "Battery current, output 1", low=0, high=210),
    _amperes("battery_current_2", "Battery current, output 2", low=0, high=210),
    _amperes("battery_current_3", "Battery current, output 3", low=0, high=210),
    _amperes("load_current", "Load current", low=0, high=60),
    _amperes("input_current", "Input current", low=-200, high=200),
    _amperes("output_current", "Output current", low=-200, high=200),
    _amperes("ac_current", "AC current", low=0, high=210),
    _watts("pv_power", "Solar power"),
    _watts("installation_power", "Expected solar power", high=1_000_000),
    _watts("ac_out_power", "AC output power", low=-150_000, high=150_000),
    _watts("active_ac_in_power", "AC input power", low=-150_000, high=150_000),
    _watts("battery_power", "Battery power", low=-150_000, high=150_000),
    _watts("dc_power", "DC loads power", low=-150_000, high=150_000),
    Metric(key="ac_apparent_power", label="AC apparent power", unit="VA", low=0, high=15_000, jump=3000,
           device_class="apparent_power"),
    _kilowatt_hours("yield_today", "Yield today"),
    Metric(key="state_of_charge", label="State of charge", unit="%", low=0, high=100, jump=20, device_class="battery"),
    Metric(key="consumed_charge", label="Consumed charge", unit="Ah", low=-20_000, high=0, jump=500),
    Metric(key="time_to_go", label="Time to go", unit="min", low=0, high=65_534, device_class="duration"),
    Metric(key="uptime", label="Uptime", unit="s", low=0, high=0x3FFFFFFE, jump=600, device_class="duration"),
    Metric(key="time_since_last_sun", label="Time since last sun", unit="min", low=0, high=1_650,
           device_class="duration"),
    _celsius("temperature", "Temperature"),
    _celsius("battery_temperature", "Battery temperature"),
    _celsius("cell_temperature", "Solar cell temperature"),
    Metric(key="irradiance", label="Irradiance", unit="W/m²", low=0, high=1_600, jump=900, device_class="irradiance"),
    Metric(key="tx_power", label="Transmit power", unit="dBm", low=0, high=20, device_class="signal_strength"),
)  # fmt: skip

_SPOKEN = {
    word.lower(): word
    for word in (
        "AC", "BLE", "BMS", "BMV", "DC", "FET", "GPS", "ID", "LED", "MAC", "MPPT", "PIN", "PUK", "PV", "SIM", "SOC",
        "TTG", "VREG", "L1", "L2", "L3",
    )
} | {"aux": "auxiliary"}  # fmt: skip


def spoken(key: str) -> str:
    """A key as people say it: "ac_out_power" is "AC out power"; for what has no label of its own."""
    words = " ".join(_SPOKEN.get(word, word) for word in key.split("_"))
    return words[:1].upper() + words[1:]


METRICS: dict[str, Metric] = {metric.key: metric for metric in _ROWS}
"""All metrics by key."""


def metric(key: str) -> Metric | None:
    """The metric of a key, None for a key that is no metric (such as the raw bytes of an unknown record)."""
    return METRICS.get(key)


def metrics() -> Iterator[Metric]:
    """All metrics in table order."""
    return iter(_ROWS)
