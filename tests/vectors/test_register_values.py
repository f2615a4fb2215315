"""Register values that real devices sent, against what other programs and the devices' apps showed for them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bluewatt.tables.registers import Register, lookup
from bluewatt.wire.registers.values import decode_samples, decode_value, encode_value, plain

FAMILY_OF_SOURCE = {
    "birdie1/victron": "smartshunt",
    "HualapaiValley/HVO.WebSite": "smartshunt",
    "vvvrrooomm/victron:test_victron2.py": "smartshunt",
    "vvvrrooomm/victron:victron_smartsolar.py": "mppt",
    "vvvrrooomm/victron:victron_orion.py": "orion",
    "Olen/VictronConnect:phoenix.py": "phoenix",
    "jtorsek/victron-bleuio-public": "phoenix",
    "patlux/ve-smart-telemetry": "mppt",
    "ipazanin/jk-bms-victron-dashboard": "mppt",
    "jkrumm/tinycast-extensions": "mppt",
    "tRackIT-Systems/pysmartsolar": "mppt",
    "lakshaysethi2/victron-bland-exporter": "charger",
    "TechBlueprints/venus-os-dbus-ble-sensors-py": "orion",
    "karioja/vedirect": "mppt",
    "koestler/go-victron": "mppt",
    "checksum rule": "mppt",
}

FIELD_NAMES = {
    "error_db": "error_database",
    "yield_kwh": "yield", "consumed_kwh": "consumed",
    "yield_user_kwh": "user_yield", "yield_system_kwh": "system_yield",
    "battery_v_max": "maximum_battery_voltage", "battery_voltage_max": "maximum_battery_voltage",
    "battery_v_min": "minimum_battery_voltage", "battery_voltage_min": "minimum_battery_voltage",
    "battery_a_max": "maximum_battery_current", "battery_current_max": "maximum_battery_current",
    "pv_v_max": "maximum_pv_voltage", "panel_voltage_max": "maximum_pv_voltage",
    "pv_power_max_w": "maximum_pv_power", "power_max_w": "maximum_pv_power",
    "bulk_min": "time_in_bulk", "time_bulk_min": "time_in_bulk",
    "absorption_min": "time_in_absorption", "time_absorption_min": "time_in_absorption",
    "float_min": "time_in_float", "time_float_min": "time_in_float",
    "trend_index": "trend", "newest_ref": "time_reference", "step_s": "interval",
}  # fmt: skip
"""Our field names for those of the vectors."""


def family_of(source: str) -> str | None:
    return next((family for start, family in FAMILY_OF_SOURCE.items() if source.startswith(start)), None)


def register_of(text: str, source: str) -> Register:
    found = lookup(int(text, 16), family_of(source))
    assert found is not None, (text, source)
    return found


def entries(node: Any) -> Iterator[dict[str, Any]]:
    """Every written or told register value in a decoded message."""
    if isinstance(node, dict):
        if "register" in node and isinstance(node.get("value"), str):
            yield node
        for inner in node.values():
            yield from entries(inner)
    elif isinstance(node, list):
        for inner in node:
            yield from entries(inner)


@pytest.fixture(scope="session")
def frames(shared: Path) -> list[dict[str, Any]]:
    loaded: list[dict[str, Any]] = json.loads((shared / "vectors/victronconnect_frames.json").read_text("utf-8"))
    return loaded


@pytest.fixture(scope="session")
def hex_cases(shared: Path) -> list[dict[str, Any]]:
    cases = json.loads((shared / "vectors/vedirect_hex.json").read_text("utf-8"))["cases"]
    return [case for case in cases if "value_hex" in case.get("expect", {})]


def test_values_of_bluetooth_vectors(frames: list[dict[str, Any]]) -> None:
    compared = 0
    for frame in frames:
        for entry in entries(frame["decoded"]):
            if "physical" in entry:
                register = register_of(entry["register"], frame["source"])
                check(register, bytes.fromhex(entry["value"]), entry["physical"], frame["id"])
                compared += 1
    assert compared >= 110


def check(register: Register, data: bytes, physical: dict[str, Any], where: str) -> None:
    value = decode_value(register, data)
    if "value" in physical:
        check_number(register, value, physical, where)
    elif "product_id" in physical:
        assert value["product_id"] == int(physical["product_id"], 16), where
    else:
        check_fields(value, physical, where)


def check_number(register: Register, value: Any, physical: dict[str, Any], where: str) -> None:
    unit = physical["unit"]
    if (unit, register.unit) == ("ms", "s"):
        value = value * 1000
    else:
        assert unit.replace("C", "°C") == register.unit, where
    assert value == physical["value"], where


def check_fields(value: dict[str, Any], expected: dict[str, Any], where: str) -> None:
    for name, number in expected.items():
        if name == "samples_newest_first":
            trend = lookup(int(expected["vreg"], 16), "mppt")
            assert trend is not None
            assert decode_samples(trend, value["samples"]) == number, where
        elif name not in ("sample_bytes", "vreg"):
            assert value[FIELD_NAMES.get(name, name)] == number, (where, name)


def test_every_value_on_bluetooth_is_read_and_written_back(frames: list[dict[str, Any]]) -> None:
    seen = 0
    for frame in frames:
        for entry in entries(frame["decoded"]):
            register = lookup(int(entry["register"], 16), family_of(frame["source"]))
            if register is None:
                continue
            check_round_trip(register, bytes.fromhex(entry["value"]))
            seen += 1
    assert seen >= 170


def check_round_trip(register: Register, data: bytes) -> None:
    value = decode_value(register, data)
    width = None if register.type in ("record", "bytes") else len(data)
    assert encode_value(register, value, width=width) == data, (register.key, data.hex())
    assert json.dumps(plain(value))


def test_values_of_hex_vectors(hex_cases: list[dict[str, Any]]) -> None:
    compared = 0
    for case in hex_cases:
        expected = case["expect"]
        register = lookup(expected["register"], family_of(case["source"]))
        if register is not None and "decoded" in expected:
            check_fields(decode_value(register, bytes.fromhex(expected["value_hex"])), expected["decoded"], case["id"])
            compared += 1
    assert compared >= 5


def test_every_value_on_vedirect_is_read_and_written_back(hex_cases: list[dict[str, Any]]) -> None:
    seen = 0
    for case in hex_cases:
        register = lookup(case["expect"]["register"], family_of(case["source"]))
        if register is not None and case["expect"]["value_hex"]:
            check_round_trip(register, bytes.fromhex(case["expect"]["value_hex"]))
            seen += 1
    assert seen >= 60


@pytest.mark.parametrize(
    ("number", "family", "data", "value", "unit"),
    [
        (0xEDDB, "mppt", "680b", 29.2, "°C"), (0xEDF2, "mppt", "00fb", -12.8, "mV/K"),
        (0xEDBB, "mppt", "c52a", 109.49, "V"),
        (0xEDF7, "mppt", "180b", 28.4, "V"), (0xEDF0, "mppt", "bc02", 70.0, "A"),
        (0xEDDD, "mppt", "21f50000", 627.53, "kWh"),
        (0xEDB8, "mppt", "7427", 101.0, "V"), (0x0FFF, "bmv", "4f1b", 69.91, "%"), (0xED7D, "bmv", "ff7f", None, "V"),
        (0x0302, "bmv", "bdf6ffff", -237.1, "Ah"), (0x0305, "bmv", "4f11fdff", -19217.7, "Ah"),
        (0x0308, "bmv", "8ff70300", 259983, "s"), (0x0307, "bmv", "bb0b0000", 30.03, "V"),
        (0x0311, "bmv", "ca760000", 304.1, "kWh"), (0x0383, "bmv", "ff7f", None, "%"),
    ],
)  # fmt: skip
def test_answers_of_chargers_and_monitors(number: int, family: str, data: str, value: float | None, unit: str) -> None:
    """Payloads of the HEX answers in the vectors, with the values the published tables give for them."""
    register = lookup(number, family)
    assert register is not None
    assert decode_value(register, bytes.fromhex(data)) == value
    assert register.unit == unit


@pytest.mark.parametrize(
    ("number", "family", "data", "keys"),
    [
        (0x0201, "mppt", "03", "bulk"), (0x0200, "phoenix", "05", "eco"), (0x0200, "phoenix", "04", "off"),
        (0x0200, "mppt", "01", "on"), (0x0207, "mppt", "01000000", ["no_input_power"]),
        (0xEDB3, "mppt", "02", "tracking"),
        (0xEEB6, "bmv", "01", "yes"),
    ],
)  # fmt: skip
def test_names_of_captured_states(number: int, family: str, data: str, keys: str | list[str]) -> None:
    """States of the vectors by name (protocol pages victronconnect-gatt, section 12, and vedirect, section 2.2)."""
    register = lookup(number, family)
    assert register is not None
    assert plain(decode_value(register, bytes.fromhex(data))) == keys
