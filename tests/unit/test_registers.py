"""The register, product and compound tables hold together."""

from __future__ import annotations

import csv
from decimal import Decimal
from importlib import resources
from typing import Any

import pytest

from bluewatt.model.json_objects import json_value
from bluewatt.model.register_values import explain_register
from bluewatt.schema import Code, Row, Scale
from bluewatt.tables import compounds, registers
from bluewatt.tables.enums import enumeration, enumeration_names
from bluewatt.tables.metrics import METRICS, any_metric, register_metrics
from bluewatt.tables.products import product, product_name, products
from bluewatt.tables.records import record_classes
from bluewatt.tables.registers import by_key, by_metric, by_name, lookup

ROWS = list(registers.registers())
GROUPED = {"groups8", "groups16", "groups32"}
TYPES = {*registers.SIZES, "str", "bytes", "record"}
FAMILIES = {
    "all", "network", "mppt", "bmv", "smartshunt", "phoenix", "multi", "orion", "charger", "lynx", "battery_sense",
    "lithium", "battery_protect", "gx", "interface", "other",
}  # fmt: skip


def csv_rows(name: str) -> list[dict[str, str]]:
    text = resources.files("bluewatt.tables").joinpath(name).read_text("utf-8")
    return list(csv.DictReader(text.splitlines()))


def test_every_line_becomes_a_row() -> None:
    lines = csv_rows(registers.CSV_NAME)
    assert [(row.id_text, row.key) for row in ROWS] == [(line["id"], line["key"]) for line in lines]
    assert len(ROWS) > 950


def test_one_meaning_per_number_and_family() -> None:
    pairs = [(row.id, family) for row in ROWS for family in row.families]
    assert len(pairs) == len(set(pairs))


def test_one_number_per_key_and_family() -> None:
    pairs = [(row.key, family) for row in ROWS for family in row.families]
    assert len(pairs) == len(set(pairs))


def test_columns_hold_known_words() -> None:
    for row in ROWS:
        assert row.type in TYPES, row
        assert set(row.families) <= FAMILIES, row
        assert row.access in {"ro", "rw", "w"}, row
        assert row.confidence in {"documented", "two_sources", "single", "guess"}, row
        assert all(row.sources), row
        assert row.description, row


def test_every_enumeration_resolves() -> None:
    known = set(enumeration_names())
    for row in ROWS:
        name, _, states = row.enum.partition("/")
        assert not name or name in known, row
        assert bool(states) == (row.type in GROUPED), row
        assert not states or states in registers.GROUP_STATES, row
        assert row.type not in {"enum8", "enum16", "enum_i16"} or name, row


def test_every_layout_resolves_and_is_used() -> None:
    used = {row.layout for row in ROWS if row.type == "record"}
    assert used == set(compounds.LAYOUTS)
    assert not any(row.layout for row in ROWS if row.type != "record")
    known = set(enumeration_names())
    fields = [field for layout in compounds.LAYOUTS.values() for field in layout.fields]
    assert all(field.enum in known for field in [*fields, *(f for g in fields for f in g.fields)] if field.enum)


def test_layouts_are_whole_bytes_with_unique_names() -> None:
    for layout in [*compounds.LAYOUTS.values(), *compounds.BY_LENGTH.values()]:
        assert len(layout.keys) == len(layout.fields), layout.name
        fixed = [field for field in layout.fields if field.bits != compounds.TO_THE_END and not field.upto]
        assert sum(field.bits * field.count for field in fixed) % 8 == 0, layout.name
        assert all(field.bits % 8 == 0 for field in layout.fields if field.upto), layout.name


def test_what_says_who_or_where_somebody_is_is_personal() -> None:
    telling = ("unique_id", "control_number", "serial_number", "custom_name", "description_2", "mac_address",
               "vrm_id", "ipv4", "network_id")  # fmt: skip
    assert {row.key for row in ROWS if any(part in row.key for part in telling)} == {
        row.key for row in ROWS if row.personal
    }
    assert {line[column] for line in csv_rows(registers.CSV_NAME) for column in ("secret", "personal")} == {"", "y"}


def test_scales_are_exact_decimals() -> None:
    for line, row in zip(csv_rows(registers.CSV_NAME), ROWS, strict=True):
        if not line["scale"]:
            assert row.scale == Scale(), row
            continue
        for raw in (0, 1, 7, 1253, 0x7FFE):
            exact = raw * Decimal(line["scale"]) + Decimal(line["offset"])
            assert row.scale.value(raw) == float(exact), row
            assert row.scale.raw(row.scale.value(raw)) == raw, row


def test_no_value_fits_the_type() -> None:
    for row in ROWS:
        if row.not_available is not None:
            assert row.size, row
            assert 0 <= row.not_available < 1 << 8 * row.size, row


def test_temperatures_are_celsius() -> None:
    assert [row.key for row in ROWS if row.unit == "K"] == ["battery_temperature_offset"]
    sensed = lookup(0xEDEC, None)
    assert sensed is not None
    assert sensed.scale.value(28500) == 11.85


def test_every_metric_exists_with_the_unit_of_its_rows() -> None:
    measured = [row for row in ROWS if row.metric]
    assert len(measured) > 200
    for row in measured:
        found = any_metric(row.metric or "")
        assert found is not None, row
        assert found.unit == row.unit, row
        assert not row.metric or found.key == row.metric


def test_metrics_of_registers_do_not_repeat_those_of_records() -> None:
    assert not register_metrics().keys() & METRICS.keys()
    assert register_metrics()["ac_out_l1_voltage"].label == "AC out L1 voltage"
    assert register_metrics()["tracker_1_mode"].device_class == "enum"
    assert register_metrics()["system_yield"].counter
    assert any_metric("no_such_quantity") is None


ADVERTISED = {row.name: row for cls in record_classes() for row in cls.rows if not (row.hidden or row.raw)}


def samples(row: Row) -> list[Any]:
    """Values that a row of a record can have: its names, or numbers small and large."""
    if row.named is not None and issubclass(row.named, Code):
        return [
            row.value(number & row.mask) for number in list(row.named.names)[:20] if number & row.mask not in row.na
        ]
    if row.named is not None:
        return [row.value(1), row.value(1 << row.bits // 2)]
    top = (row.mask >> 1 if row.signed else row.mask) - 1
    return [row.value(raw) for raw in (1, top // 50, top // 3)]


@pytest.mark.parametrize(
    ("number", "family", "metric"),
    [
        (0xED8D, "smartshunt", "battery_voltage"), (0xED8C, "smartshunt", "battery_current"),
        (0xED8F, "smartshunt", "battery_current"), (0xED8E, "smartshunt", "battery_power"),
        (0x0FFF, "smartshunt", "state_of_charge"), (0x0FFE, "bmv", "time_to_go"), (0xEEFF, "bmv", "consumed_charge"),
        (0x0382, "bmv", "midpoint_voltage"), (0xEDBC, "mppt", "pv_power"), (0xEDD3, "mppt", "yield_today"),
        (0xEDEC, "smartshunt", "battery_temperature"), (0xEDAD, "mppt", "load_current"),
        (0xEDDA, "mppt", "charger_error"), (0x0201, "mppt", "device_state"), (0x0207, "orion", "off_reason"),
        (0x031E, "smartshunt", "alarm_reason"), (0x031C, "phoenix", "warning_reason"),
        (0x2200, "phoenix", "ac_voltage"), (0x2201, "phoenix", "ac_current"),
        (0x2205, "phoenix", "ac_apparent_power"), (0xEDBB, "orion", "input_voltage"),
        (0x2108, "lynx", "io_status"), (0x2107, "lynx", "warnings_alarms"), (0xEC80, "lithium", "smart_lithium_error"),
        (0x0204, "multi", "active_ac_in"), (0xEDA8, "battery_protect", "output_state"),
        (0xE40B, "multi", "vebus_error"), (0xEA15, "lithium", "balancer_status"),
    ],
)  # fmt: skip
def test_a_quantity_has_one_name_unit_and_value_in_registers_and_advertisements(
    number: int, family: str, metric: str
) -> None:
    row, register = ADVERTISED[metric], lookup(number, family)
    assert register is not None
    size = registers.SIZES[register.type]
    signed = register.type in registers.SIGNED
    compared = 0
    for advertised in samples(row):
        count = int(advertised) if register.enum else register.scale.raw(advertised)
        if not 0 <= count + (signed << 8 * size - 1) < 1 << 8 * size or count == register.not_available:
            continue  # a narrow register does not reach as far as the record
        read = explain_register(number, count.to_bytes(size, "little", signed=signed), family)
        assert (read.key, read.unit, read.problem) == (metric, row.unit, "")
        if isinstance(read.value, Code) and not read.value.known:
            continue  # the register says "disconnected" by another number
        if register.enum:
            assert json_value(read.value) == json_value(advertised)
        else:
            step = register.scale.value(1) - register.scale.value(0)
            assert read.value == pytest.approx(advertised, abs=step / 2 + 1e-9)
        compared += 1
    assert compared


def test_lookup_takes_the_family_then_the_network_then_all() -> None:
    shunt, monitor = lookup(0x0320, "smartshunt"), lookup(0x0320, "bmv")
    assert shunt
    assert monitor
    assert (shunt.scale.divisor, monitor.scale.divisor) == (100, 10)
    shared = lookup(0x2001, "battery_protect")
    assert shared
    assert not shared.borrowed
    assert "network" in shared.families
    everywhere = lookup(0xED8D, "lynx")
    assert everywhere
    assert everywhere.families == ("all",)
    own, general = lookup(0x0200, "mppt"), lookup(0x0200, "orion")
    assert own
    assert general
    assert (own.enum, general.enum) == ("mppt_device_mode", "device_mode")


def test_lookup_borrows_a_row_only_where_all_agree() -> None:
    borrowed = lookup(0xEDBC, "bmv")
    assert borrowed
    assert borrowed.borrowed
    assert borrowed.key == "pv_power"
    assert lookup(0x0320, "gx") is None
    assert lookup(0x0320, None) is None


def test_an_unknown_number_is_nothing() -> None:
    assert lookup(0xBEEF, "mppt") is None
    assert registers.rows_with_number(0xBEEF) == ()
    assert by_name("0xBEEF", None) is None
    assert by_name("0xnonsense", None) is None


def test_names_find_registers() -> None:
    fine = by_name("battery_current", "smartshunt")
    coarse = by_key("battery_current", "smartshunt")
    assert fine
    assert coarse
    assert (fine.id, coarse.id) == (0xED8C, 0xED8F)
    number = by_name("0xed8d", "smartshunt")
    assert number
    assert number.key == "battery_voltage"
    assert by_key("no_such_register", None) is None
    assert by_name("", None) is None


def test_the_well_founded_register_of_a_quantity_comes_first() -> None:
    for quantity, number in (("consumed_charge", 0xEEFF), ("state_of_charge", 0x0FFF), ("battery_temperature", 0xEDEC)):
        assert by_metric(quantity, "smartshunt")[0].id == number
    assert by_metric("starter_voltage", "smartshunt")[0].id == 0xED7D
    assert all(row.borrowed for row in by_metric("starter_voltage", "mppt"))


def test_registers_of_a_family_are_one_per_number_and_its_own() -> None:
    rows = list(registers.registers("smartshunt"))
    assert len(rows) == len({row.id for row in rows})
    assert not any(row.borrowed for row in rows)
    assert {0xED8D, 0x0FFF, 0x0300} <= {row.id for row in rows}
    assert 0xEDBC not in {row.id for row in rows}


def test_what_opens_something_is_secret() -> None:
    secret = {row.key for row in ROWS if row.secret}
    assert secret >= {"advertisement_key", "network_key", "pin_code", "puk_code"}
    assert not {row.key for row in ROWS if "key" in row.key.split("_")} - secret


def test_commands_are_not_read() -> None:
    clear = lookup(0x1030, None)
    assert clear
    assert clear.type == "void"
    assert not clear.readable
    assert clear.writable


def test_products_are_listed_once_and_in_order() -> None:
    numbers = [item.id for item in products()]
    assert numbers == sorted(set(numbers))
    assert len(numbers) > 800
    assert {item.family for item in products()} <= FAMILIES


@pytest.mark.parametrize(
    ("number", "name", "family"),
    [
        (0xA389, "SmartShunt 500A/50mV", "smartshunt"),
        (0xA05E, "SmartSolar MPPT 250/45", "mppt"),
        (0xA3A4, "Smart Battery Sense", "battery_sense"),
        (0xA3F0, "Orion XS 12/12-50A", "orion"),
        (0xC000, "VGR, VGR2 or VER", "gx"),
        (0xC050, "SolarSense 750", "other"),
    ],
)
def test_products_have_name_and_family(number: int, name: str, family: str) -> None:
    found = product(number)
    assert found is not None
    assert (found.name, found.family) == (name, family)
    assert product_name(number) == name


def test_an_unlisted_product_is_shown_as_its_number() -> None:
    assert product(0xBEEF) is None
    assert product_name(0xBEEF) == "0xBEEF"


def test_the_table_is_read_once() -> None:
    for cached in (registers._lines, registers.lookup, registers.rows_with_number):
        cached.cache_clear()
    for register in (0xED8D, 0xED8C, 0x010A):
        assert lookup(register, "smartshunt")
    assert registers._lines.cache_info().misses == 1


def test_states_of_groups_have_a_value_each() -> None:
    assert all(len(states) == len(set(states)) == 4 for states in registers.GROUP_STATES.values())
    assert enumeration("alarm_reason")[0].key == "low_voltage"
