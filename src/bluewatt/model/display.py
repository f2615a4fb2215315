"""Values in words: how a value is written for people, and which values of a record come first. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from bluewatt.model.identity import Device
from bluewatt.model.register_values import HIDDEN, RegisterValue
from bluewatt.schema import Code, Flags, Record, Row, TwoBitFields
from bluewatt.tables.metrics import any_metric, label_of_key, metric
from bluewatt.tables.products import product_name
from bluewatt.tables.records import record_class
from bluewatt.wire.printable import printable

ABSENT = "–"
"""The mark in place of a value that is not available."""

HEADLINE = {
    "state_of_charge": "", "battery_voltage": "", "battery_current": "", "pv_power": "PV", "irradiance": "",
    "ac_out_power": "AC", "ac_apparent_power": "AC", "ac_voltage": "AC",
    "battery_voltage_1": "", "battery_current_1": "", "ac_current": "AC",
    "input_voltage": "in", "output_voltage": "out", "output_current": "out",
    "input_current": "in", "load_current": "load", "battery_power": "battery",
    "active_ac_in_power": "AC in", "yield_today": "today", "time_to_go": "left", "consumed_charge": "used",
    "temperature": "", "battery_temperature": "", "starter_voltage": "starter", "midpoint_voltage": "middle",
    "cell_voltages": "cells", "dc_power": "DC", "battery_voltage_2": "2:", "battery_current_2": "2:",
    "battery_voltage_3": "3:", "battery_current_3": "3:", "cell_temperature": "cell", "installation_power": "expected",
}  # fmt: skip
"""The metrics of a one-line summary, the most important first, each with the word before its value."""

STATES = ("device_state", "output_state", "monitor_mode")
"""Rows that say what a device is doing, the most informative first."""

TROUBLE = (
    "alarm_reason", "alarm", "charger_error", "error_code", "bms_error", "vebus_error", "smart_lithium_error",
    "warning_reason", "warnings_alarms",
)  # fmt: skip
"""Rows of alarms, warnings and errors: zero while there is none."""

_HOUR = 60  # minutes


def label(row: Row) -> str:
    """Return the label of a row: its metric's, else one made from its key."""
    found = metric(row.name)
    return found.label if found else label_of_key(row.name)


def register_label(value: RegisterValue) -> str:
    """Return the label of a register: its metric's, else one made from its key, else its number."""
    if value.row is None:
        return value.key
    found = any_metric(value.key)
    return found.label if found else label_of_key(value.key)


def value_text(row: Row, value: Any) -> str:
    """Return a value with its unit, such as "12.53 V"; ABSENT for None."""
    if value is None:
        return ABSENT
    if isinstance(value, tuple):
        return f"{' '.join(_number(row, element) for element in value)} {row.unit}".rstrip()
    if isinstance(value, (Code, Flags, TwoBitFields)):
        return str(value)
    if isinstance(value, bytes):
        return value.hex(" ")
    if row.unit == "min" and value >= _HOUR:
        return f"{value // _HOUR} h {value % _HOUR} min"
    return f"{_number(row, value)} {row.unit}".rstrip()


def _number(row: Row, value: Any) -> str:
    return ABSENT if value is None else f"{value:.{row.scale.decimals}f}"


def type_title(record_type: int | None) -> str:
    """Return the title of a record type, such as "Battery monitor", else its number."""
    if record_type is None:
        return "no record"
    cls = record_class(record_type)
    return cls.title if cls else f"record type 0x{record_type:02X}"


def visible_values(record: Record) -> list[tuple[Row, Any]]:
    """Return the rows with their values, without unused bits and overlays that are not selected."""
    rows = [(row, getattr(record, row.name)) for row in record.rows if not row.hidden]
    return [(row, value) for row, value in rows if not (row.when and value is None)]


def headline(record: Record) -> Iterator[str]:
    """Yield the values of a one-line summary, the most important first."""
    there = {row.name: (row, value) for row, value in visible_values(record) if value is not None}
    for name, word in HEADLINE.items():
        if name in there:
            yield f"{word} {value_text(*there[name])}".lstrip()
    raw = [value_text(row, value) for row, value in there.values() if row.raw]
    yield from raw


def state_text(record: Record) -> str:
    """Return what the device is doing, in a word or two; empty if its record does not say."""
    values = [getattr(record, name, None) for name in STATES]
    return next((str(value) for value in values if value is not None), "")


def trouble(record: Record) -> list[str]:
    """Return the active alarms, warnings and errors, in words."""
    values = [getattr(record, name, None) for name in TROUBLE]
    return [text for value in values if value for text in _troubles(value)]


def _troubles(value: Code | Flags | TwoBitFields) -> list[str]:
    if isinstance(value, TwoBitFields):
        return [key for key in value.keys if key.endswith(("=alarm", "=warning"))]
    return value.labels if isinstance(value, Flags) else [str(value)]


def age_text(seconds: float | None) -> str:
    """Return a span of time, given in seconds, such as "3s", "12m", "5h" or "2d"; ABSENT for None."""
    if seconds is None:
        return ABSENT
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= size:
            return f"{int(seconds // size)}{unit}"
    return f"{int(seconds)}s"


def counted(count: int, noun: str) -> str:
    """Return a number of things, such as "1 byte" or "2 bytes"."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def register_text(value: RegisterValue) -> str:
    """Return the value without its unit; ABSENT if there is none."""
    if value.secret:
        return HIDDEN
    if value.problem:
        return f"{value.raw.hex(' ')} ({value.problem})"
    if value.row is None:
        return value.raw.hex(" ")
    main_field = _MAIN_FIELD.get(value.row.layout)
    if main_field and value.value:
        return main_field(value.value)
    return plain_text(value.value, value.row.scale.decimals)


_MAIN_FIELD: dict[str, Callable[[dict[str, Any]], str]] = {
    "product_id": lambda fields: product_name(int(fields["product_id"])),
    "firmware_version": lambda fields: str(fields["version"]),
}
"""Layout of which people want one field → that field in words."""


def plain_text(value: Any, decimals: int | None = None) -> str:
    """Return a value of a register, or of a field of a compound, in words."""
    if value is None or value == "":
        return ABSENT
    if isinstance(value, dict):
        return ", ".join(f"{key} {plain_text(item)}" for key, item in value.items())
    if isinstance(value, list | tuple):
        return " ".join(map(plain_text, value))
    if isinstance(value, bytes):
        return value.hex(" ")
    if isinstance(value, float) and decimals is not None:
        return f"{value:.{decimals}f}"
    return printable(str(value))


def device_title(device: Device) -> str:
    """Return a line that says which device it is: name, product and address."""
    product = product_name(device.product_id) if device.product_id is not None else ""
    name = printable(device.name or "")
    parts = [name, product if product not in name else "", device.address]
    return "  ".join(part for part in parts if part)
