"""The layouts of compound registers (type `record`), as rows.

A payload is a little-endian bit stream: fields follow each other from bit 0 of byte 0, and what later firmware
appends is kept unchanged. A field of all ones (unsigned) or of the largest positive number (signed) means "not
available" unless its row says otherwise. One engine, `bluewatt.wire.registers.compounds`, reads and writes them all.

Sources: the protocol pages victronconnect-gatt (sections 12 to 14) and vedirect (section 3.1), the vendor's public
register headers. A layout whose bytes nobody has published says so in its `note`.
"""

from __future__ import annotations

from functools import cached_property
from typing import Final, Literal

import msgspec

from bluewatt.schema import Scale

FieldKind = Literal["number", "version", "text", "bytes", "group"]

NODE_LISTS: Final = "network_nodes"
"""The layout of the registers that list other devices by their serial numbers."""

TO_THE_END: Final = -1
"""The value of `bits` in a bytes field that takes the rest."""


class CompoundField(msgspec.Struct, frozen=True, kw_only=True):
    """One row of a layout."""

    name: str
    kind: FieldKind = "number"
    bits: int
    """The width of one element."""
    signed: bool = False
    unit: str = ""
    scale: Scale = Scale()
    absent: bool = True
    """Whether all ones (the largest positive number, if signed) means "not available"."""
    enum: str = ""
    """The enumeration of a named number."""
    count: int = 1
    """How many elements; more than one is a list."""
    upto: bool = False
    """Whether the list may be shorter than `count`."""
    fields: tuple[CompoundField, ...] = ()
    """The rows of a group."""
    optional: bool = False
    """Whether old firmware ends the payload before this field."""
    spare: bool = False
    """Whether the bits are reserved, sent as ones: shown only if it is something else."""
    big_endian: bool = False
    """Whether the highest byte comes first."""

    @property
    def mask(self) -> int:
        """All ones over one element."""
        return (1 << self.bits) - 1

    @property
    def blank(self) -> int:
        """The raw pattern of "not available"."""
        return self.mask >> 1 if self.signed else self.mask


class CompoundLayout(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """The rows of one compound register; `length` is given where the layout holds for payloads of that length only."""

    name: str
    fields: tuple[CompoundField, ...]
    length: int | None = None
    note: str = ""

    @cached_property
    def keys(self) -> frozenset[str]:
        """The names of all fields."""
        return frozenset(field.name for field in self.fields)


def _number(name: str, bits: int, unit: str = "", *, step: str = "1", bias: str = "0", enum: str = "",
            signed: bool = False, absent: bool = True, optional: bool = False) -> CompoundField:  # fmt: skip
    return CompoundField(name=name, bits=bits, unit=unit, scale=Scale.of(step, bias), enum=enum, signed=signed,
                 absent=absent, optional=optional)  # fmt: skip


def _u8(name: str, unit: str = "", *, enum: str = "", absent: bool = True, optional: bool = False) -> CompoundField:
    return _number(name, 8, unit, enum=enum, absent=absent, optional=optional)


def _u16(name: str, unit: str = "", *, step: str = "1", bias: str = "0", enum: str = "", absent: bool = True,
         optional: bool = False) -> CompoundField:  # fmt: skip
    return _number(name, 16, unit, step=step, bias=bias, enum=enum, absent=absent, optional=optional)


def _u24(name: str) -> CompoundField:
    return _number(name, 24)


def _u32(name: str, unit: str = "", *, step: str = "1") -> CompoundField:
    return _number(name, 32, unit, step=step)


def _bits(name: str, bits: int, enum: str = "") -> CompoundField:
    return _number(name, bits, enum=enum, absent=False)


def _spare(name: str, bits: int) -> CompoundField:
    return CompoundField(name=name, bits=bits, absent=False, spare=True)


def _big_endian(field: CompoundField) -> CompoundField:
    return msgspec.structs.replace(field, big_endian=True)


def _version(name: str, bits: int = 24) -> CompoundField:
    return CompoundField(name=name, kind="version", bits=bits)


def _text(name: str, length: int) -> CompoundField:
    return CompoundField(name=name, kind="text", bits=8 * length)


def _rest(name: str) -> CompoundField:
    return CompoundField(name=name, kind="bytes", bits=TO_THE_END, optional=True)


def _several(count: int, field: CompoundField) -> CompoundField:
    return msgspec.structs.replace(field, count=count)


def _upto(count: int, field: CompoundField) -> CompoundField:
    return msgspec.structs.replace(field, count=count, upto=True, optional=True)


def _group(name: str, *fields: CompoundField) -> CompoundField:
    return CompoundField(name=name, kind="group", bits=sum(field.bits * field.count for field in fields), fields=fields)


_ERRORS = (_u8("error_database", enum="error_database"), _several(4, _u8("errors", enum="error_code", absent=False)))
_TREND_HEAD = (_u8("trend"), _u32("time_reference"))
_LED_STATE = "led_pattern"

_ALL: tuple[CompoundLayout, ...] = (
    # requests on VE.Can and commands
    CompoundLayout(name="vreg_request", fields=(_u16("register"), _u16("mask", absent=False))),
    CompoundLayout(name="vreg_ack", fields=(_u16("register"), _u16("code", enum="ack_code", absent=False))),
    CompoundLayout(name="update_available", fields=(
        _bits("available", 1, "boolean_no_yes"), _bits("mandatory", 1, "boolean_no_yes"), _bits("flags", 14),
        _version("version_from", 32), _version("version_to", 32)),
        note="The bytes of the two versions are not published; read like the version of register 0x0102."),
    CompoundLayout(name="child_connect", fields=(_u8("child", absent=False), _u8("request", enum="boolean_off_on"))),
    CompoundLayout(name="paygo_token", fields=(_u32("command"), _u32("payload"), _u32("hash"))),
    # what the device is
    CompoundLayout(name="chip_id", fields=(_u16("controller_id", absent=False), _u16("site_id", absent=False))),
    CompoundLayout(name="product_id", fields=(
        _u8("identifier"), _u16("product_id"), _bits("updatable", 1, "boolean_no_yes"), _spare("flags", 7))),
    CompoundLayout(name="product_id", length=2, fields=(_big_endian(_u16("product_id")),),
        note="VE.Direct solar chargers send the product id in big endian."),
    CompoundLayout(name="hardware_revision", fields=(_u8("identifier"), _u16("revision"))),
    CompoundLayout(name="firmware_version", fields=(_u8("identifier"), _version("version"))),
    CompoundLayout(name="bootloader_version", fields=(
        _version("version"), _bits("running", 1, "boolean_no_yes"), _spare("flags", 7))),
    CompoundLayout(name="device_class", fields=(_u8("device_class"), _u8("device_function"))),
    CompoundLayout(name="controller_id", fields=(_u8("identifier"), _u24("controller_id"))),
    # batteries and cells
    CompoundLayout(name="battery_configuration", fields=(
        _u8("batteries"), _u8("cells_per_battery"), _u8("parallel", optional=True), _u8("series", optional=True))),
    CompoundLayout(name="cell_voltage", fields=(_u8("battery"), _u8("cell"), _u16("voltage", "V", step="0.01")),
        note="The older header names the cell first, the newer one the battery; not checked on a device."),
    CompoundLayout(name="cell_voltages", fields=(
        _u16("minimum_cell_voltage", "V", step="0.01"), _u16("maximum_cell_voltage", "V", step="0.01"))),
    CompoundLayout(name="cell_temperatures", fields=(
        _u16("minimum_cell_temperature", "°C", step="0.01", bias="-273.15"),
        _u16("maximum_cell_temperature", "°C", step="0.01", bias="-273.15"))),
    CompoundLayout(name="last_errors", fields=(_several(4, _u8("errors", absent=False)),)),
    CompoundLayout(name="last_bms_errors", fields=(_several(4, _u8("errors", enum="bms_error", absent=False)),)),
    CompoundLayout(name="last_lynx_errors", fields=(_several(4, _u8("errors", enum="lynx_error", absent=False)),)),
    CompoundLayout(name="balancer_update", fields=(_u8("balancer"), _u8("progress", "%"))),
    CompoundLayout(name="peak_power_pack_statistics", fields=(
        _u8("version"), _u32("sequence"), _u8("deep_discharges"), _u8("under_voltages"), _u16("over_voltages"),
        _u8("over_temperatures"), _u8("short_circuits"), _u16("mover_activations"), _u32("mover_time", "s"),
        _u32("time_below_freezing", "s"), _u16("charge_cycles"), _u16("hot_charge_cycles"), _u16("hot_discharges")),
        note="Marked as broken by its makers; the unit of the times is not published."),
    # history
    CompoundLayout(name="history_total", fields=(
        _u8("version"), *_ERRORS, _u32("user_yield", "kWh", step="0.01"), _u32("system_yield", "kWh", step="0.01"),
        _u16("maximum_pv_voltage", "V", step="0.01"), _u16("maximum_battery_voltage", "V", step="0.01"),
        _u8("days_available"), _u16("minimum_battery_voltage", "V", step="0.01", optional=True)),
        note="Days available are those behind today, so there is one record more. 19 bytes in the oldest form; "
        "version 1 has a rest of unknown meaning, 13 bytes of ones so far."),
    CompoundLayout(name="history_day", fields=(
        _u8("version"), _u32("yield", "kWh", step="0.01"), _u32("consumed", "kWh", step="0.01"),
        _u16("maximum_battery_voltage", "V", step="0.01"), _u16("minimum_battery_voltage", "V", step="0.01"),
        *_ERRORS, _u16("time_in_bulk", "min"), _u16("time_in_absorption", "min"), _u16("time_in_float", "min"),
        _u32("maximum_pv_power", "W"), _u16("maximum_battery_current", "A", step="0.1"),
        _u16("maximum_pv_voltage", "V", step="0.01"), _u16("day_sequence"))),
    CompoundLayout(name="tracker_day", fields=(
        _u8("version"), _u16("day_sequence"), _several(4, _u16("yield", "kWh", step="0.01")),
        _several(4, _u16("maximum_power", "W")), _several(4, _u16("maximum_voltage", "V", step="0.01")))),
    CompoundLayout(name="cumulative_history", fields=(
        _u8("version"), _u32("operating_time", "s"), _u32("charge_delivered", "Ah", step="0.1"),
        _u32("cycles_started"), _u32("cycles_completed"), _u32("power_ups"), _u32("deep_discharges"))),
    CompoundLayout(name="charge_cycle", fields=(
        _u8("version"), _u32("start", "s"), _u32("time_in_bulk", "s"), _u32("time_in_absorption", "s"),
        _u32("time_in_recondition", "s"), _u32("time_in_float", "s"), _u32("time_in_storage", "s"),
        _u32("charge_in_bulk", "Ah", step="0.1"), _u32("charge_in_absorption", "Ah", step="0.1"),
        _u32("charge_in_recondition", "Ah", step="0.1"), _u32("charge_in_float", "Ah", step="0.1"),
        _u32("charge_in_storage", "Ah", step="0.1"), _u16("voltage_at_start", "V", step="0.01"),
        _u16("voltage_at_end", "V", step="0.01"), _u8("battery_type", enum="battery_type_charger", absent=False),
        _bits("flags", 4), _bits("end_reason", 4), _u8("error", enum="error_code", absent=False)),
        note="The time scale of the start and the reasons for the end are not published."),
    # lamps and lights
    CompoundLayout(name="leds_blue_smart", fields=(
        *(_bits(led, 3, _LED_STATE) for led in ("test", "bulk", "absorption", "float", "storage", "normal", "high",
                                                 "recondition", "li_ion")), _bits("flags", 5)),
        note="The newer header puts the Li-ion lamp at bit 23, inside its neighbour; the pattern gives bit 24."),
    CompoundLayout(name="leds_orion",
        fields=(_bits("init", 3, _LED_STATE), _bits("ble", 3, _LED_STATE), _bits("flags", 26))),
    CompoundLayout(name="light_event", fields=(
        _number("offset", 16, "min", signed=True), _u8("event", enum="light_event_code", absent=False),
        _u8("dim_level", "%")),
        note="The order of the newer header; the older one has event, dim level, minutes. Check before writing."),
    CompoundLayout(name="voltage_range",
        fields=(_u8("minimum_system_voltage", "V"), _u8("maximum_system_voltage", "V"))),
    # VE.Smart networking
    CompoundLayout(name="pin_code", fields=(_text("old_pin", 6), _text("new_pin", 6))),
    CompoundLayout(name="network_transmit_list", fields=(
        _upto(10, _group("registers", _u16("register"), _u8("priority"))),)),
    CompoundLayout(name="network_receive_list", fields=(
        _upto(4, _group("registers", _u16("register"), _u8("age", "s"), _u8("priority"), _u32("sender"))),)),
    CompoundLayout(name="network_nodes", fields=(
        _u8("version"),
        _upto(2, _group("nodes", _u32("address"), _u16("product_id"), _u8("age", "s"),
                        _version("firmware_version", 32), _number("rssi", 8, "dBm", signed=True),
                        _spare("reserved", 32))))),
    # trends
    CompoundLayout(name="trend_registers", fields=(_upto(8, _u16("registers")),)),
    CompoundLayout(name="trend_config", fields=(
        _u8("sub_trends"), _u8("samples_per_answer"),
        _upto(8, _group("layers", _u16("samples"), _u16("interval", "s"))))),
    CompoundLayout(name="trend_times", fields=(_upto(8, _u32("time_references", "s")),)),
    CompoundLayout(name="trend_samples", length=6, fields=(*_TREND_HEAD, _u8("wanted"))),
    CompoundLayout(name="trend_samples", fields=(*_TREND_HEAD, _u8("count"), _u16("interval", "s"), _rest("samples"))),
    CompoundLayout(name="trend_samples_v2", fields=(*_TREND_HEAD, _rest("samples")),
        note="Marked experimental by its makers."),
    CompoundLayout(name="time_tuple", fields=(_u32("time_reference", "s"), _u32("unix_time", "s"))),
    CompoundLayout(name="time_tuples", fields=(
        _u32("time_reference", "s"), _upto(8, _group("tuples", _u32("time_reference", "s"), _u32("unix_time", "s"))))),
    CompoundLayout(name="reboots", fields=(_u32("time_reference", "s"), _upto(16, _u32("reboots", "s")))),
)  # fmt: skip

LAYOUTS: dict[str, CompoundLayout] = {layout.name: layout for layout in _ALL if layout.length is None}
"""Layouts by name."""

BY_LENGTH: dict[tuple[str, int], CompoundLayout] = {
    (layout.name, layout.length): layout for layout in _ALL if layout.length is not None
}
"""Layouts that replace the one of the same name for payloads of one length."""
