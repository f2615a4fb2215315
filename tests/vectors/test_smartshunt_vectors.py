"""Every vector of the documented SmartShunt service decodes to its value and is built back to the same bytes."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from bluewatt.wire.smartshunt import characteristic, decode_characteristic, encode_characteristic

METRICS = {
    "consumed_ah": ("consumed_charge", "Ah"),
    "current": ("battery_current", "A"),
    "keep_alive_s": ("ble_connection_keep_alive", "s"),
    "mid_deviation_percent": ("midpoint_deviation", "%"),
    "mid_voltage": ("midpoint_voltage", "V"),
    "power": ("battery_power", "W"),
    "soc": ("state_of_charge", "%"),
    "starter_voltage": ("starter_voltage", "V"),
    "temperature_c": ("temperature", "°C"),
    "time_to_go_min": ("time_to_go", "min"),
    "voltage": ("battery_voltage", "V"),
}
"""The vectors' informal field names: our metric and its unit."""


@pytest.fixture(scope="module")
def vectors(shared: Path) -> list[dict[str, Any]]:
    document = json.loads((shared / "vectors" / "smartshunt_gatt.json").read_text())
    assert len(document["vectors"]) == document["meta"]["count"] > 0
    return list(document["vectors"])


def test_every_vector_decodes(vectors: list[dict[str, Any]], subtests: pytest.Subtests) -> None:
    for vector in vectors:
        with subtests.test(vector["id"]):
            expected = math.inf if vector["expected"] == "forever" else vector["expected"]
            assert decode_characteristic(vector["uuid"], bytes.fromhex(vector["value_hex"])) == expected


def test_every_vector_of_the_right_length_is_built_back(
    vectors: list[dict[str, Any]], subtests: pytest.Subtests
) -> None:
    whole = [vector for vector in vectors if len(vector["value_hex"]) // 2 == characteristic(vector["uuid"]).size]
    assert len(whole) == len(vectors) - 3, "gatt-04 is empty, gatt-28 and gatt-29 are cut"
    for vector in whole:
        with subtests.test(vector["id"]):
            value = math.inf if vector["expected"] == "forever" else vector["expected"]
            assert encode_characteristic(vector["uuid"], value).hex() == vector["value_hex"]


def test_every_vector_names_a_metric_of_ours(vectors: list[dict[str, Any]]) -> None:
    for vector in vectors:
        row = characteristic(vector["uuid"])
        assert (row.metric, row.unit) == METRICS[vector["field"]], vector["id"]
