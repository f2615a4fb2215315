"""The limits of the metrics: nothing true lies outside, and those of related quantities fit each other."""

from __future__ import annotations

import pytest

from bluewatt.model.trust.doubt import is_within
from bluewatt.schema import Row
from bluewatt.tables.metrics import METRICS, Metric, any_metric, metrics, register_metrics
from bluewatt.tables.records import record_classes

NUMBERS = [(cls, row) for cls in record_classes() for row in cls.rows if not (row.named or row.hidden or row.raw)]
IMPOSSIBLE = {
    "battery_voltage": "below -1 V: the sensors of batteries take no reversed battery",
    "starter_voltage": "as battery_voltage; and no starter battery has more than 48 V",
    "midpoint_voltage": "as starter_voltage: the midpoint of a bank of at most 48 V",
    "input_voltage": "DC/DC converters and BatteryProtects take at most 75 V",
    "output_voltage": "as input_voltage",
    "temperature": "nothing measures beyond 150 °C or below -60 °C",
    "state_of_charge": "more than 100 %",
    "output_current": "an Orion XS has 50 A; 16 bits reach to 6,553 A",
    "input_current": "as output_current",
}
"""Rows whose bits reach further than anything true, and why."""


def span(row: Row) -> tuple[float, float]:
    """The lowest and the highest value the bits of a row can say."""
    patterns = (0, row.mask, row.mask - 1, row.mask >> 1, (row.mask >> 1) - 1, (row.mask >> 1) + 1)
    found = [row.value(raw) for raw in patterns if raw not in row.na and 0 <= raw <= row.mask]
    return min(found), max(found)


@pytest.mark.parametrize(("cls", "row"), NUMBERS, ids=lambda part: getattr(part, "name", getattr(part, "__name__", "")))
def test_limits_reach_as_far_as_the_field_or_say_why_not(cls: type, row: Row) -> None:
    limits = METRICS[row.name]
    low, high = span(row)
    assert limits.low is not None
    assert limits.high is not None
    reaches = limits.low <= low and high <= limits.high
    assert reaches or row.name in IMPOSSIBLE, f"{cls.__name__}.{row.name} says {low} to {high} {row.unit}"


def test_every_reason_is_needed() -> None:
    short = {row.name for _, row in NUMBERS if not all(is_within(value, METRICS[row.name]) for value in span(row))}
    assert short == set(IMPOSSIBLE)


@pytest.mark.parametrize(
    ("metric", "value"),
    [
        ("pv_power", 45_000), ("pv_power", 400_000), ("yield_today", 650), ("cell_temperature", -45),
        ("battery_temperature", -45), ("temperature", -45), ("battery_current", -2097), ("battery_current", 2097),
        ("battery_power", 190_000), ("dc_power", -190_000), ("ac_out_power", 180_000), ("battery_voltage", 385),
        ("consumed_charge", -60_000), ("ac_apparent_power", 45_000), ("irradiance", 1_620),
    ],
)  # fmt: skip
def test_what_is_true_somewhere_is_possible(metric: str, value: float) -> None:
    assert is_within(value, METRICS[metric])


def high(key: str) -> float:
    limit = METRICS[key].high
    assert limit is not None
    return limit


@pytest.mark.parametrize(
    ("power", "voltage", "current"),
    [
        ("battery_power", "battery_voltage", "battery_current"), ("dc_power", "battery_voltage", "battery_current"),
        ("pv_power", "battery_voltage", "battery_current"), ("ac_out_power", "battery_voltage", "battery_current"),
        ("ac_out_power", "ac_voltage", "ac_current"), ("ac_apparent_power", "ac_voltage", "ac_current"),
        ("active_ac_in_power", "ac_voltage", "ac_current"),
    ],
)  # fmt: skip
def test_a_power_reaches_as_far_as_voltage_times_current(power: str, voltage: str, current: str) -> None:
    assert high(power) >= high(voltage) * high(current)
    low = METRICS[power].low
    assert low is not None
    assert low == 0 or low <= (METRICS[current].low or 0) * high(voltage)


def test_a_day_of_the_highest_solar_power_is_a_possible_yield() -> None:
    assert high("yield_today") >= high("pv_power") / 1000 * 24
    assert high("installation_power") >= high("pv_power")


def test_outputs_midpoint_and_sensors_reach_as_far_as_the_same_quantity_elsewhere() -> None:
    assert (
        high("battery_voltage") >= high("battery_voltage_1") == high("battery_voltage_2") == high("battery_voltage_3")
    )
    assert (
        high("battery_current") >= high("battery_current_1") == high("battery_current_2") == high("battery_current_3")
    )
    for key in ("temperature", "battery_temperature", "cell_temperature"):
        assert (METRICS[key].low, METRICS[key].high) == (METRICS["temperature"].low, METRICS["temperature"].high)


@pytest.mark.parametrize("row", [row for row in metrics() if row.usual], ids=lambda row: row.key)
def test_what_is_usual_is_possible(row: Metric) -> None:
    assert row.usual is not None
    assert row.low is not None
    assert row.high is not None
    assert row.low <= row.usual[0] < row.usual[1] <= row.high


@pytest.mark.parametrize(
    ("metric", "change"),
    [
        ("battery_current", 140), ("battery_voltage", 6), ("pv_power", 2500), ("ac_out_power", 2500),
        ("temperature", 20), ("load_current", 30), ("ac_voltage", 50), ("state_of_charge", 15),
        ("consumed_charge", 200),
        ("irradiance", 800), ("input_current", 45), ("output_current", 45), ("battery_current_1", 45),
    ],
)  # fmt: skip
def test_what_changes_in_a_second_by_switching_a_load_is_no_jump(metric: str, change: float) -> None:
    jump = METRICS[metric].jump
    assert jump is not None
    assert change <= jump


def test_registers_reach_as_far_as_the_metrics_of_records_with_their_unit() -> None:
    for found in register_metrics().values():
        for row in metrics():
            if row.unit != found.unit or found.high is None or row.high is None or row.unit in ("%", "s", "min"):
                continue
            assert found.low is not None
            assert row.low is not None
            assert found.low <= row.low, (found.key, row.key)
            assert found.high >= row.high, (found.key, row.key)


@pytest.mark.parametrize(
    ("metric", "value"),
    [
        ("ac_out_l1_voltage", 230), ("tracker_1_voltage", 450), ("ac_in_1_l1_voltage", 277), ("pv_voltage", 450),
    ],
)  # fmt: skip
def test_what_only_registers_measure_is_possible(metric: str, value: float) -> None:
    assert is_within(value, any_metric(metric))


def test_a_power_of_registers_reaches_as_far_as_voltage_times_current() -> None:
    tops = {row.unit: row.high for row in register_metrics().values() if row.high is not None}
    assert tops["W"] >= tops["V"] * tops["A"]
    assert tops["VA"] >= tops["V"] * tops["A"]
