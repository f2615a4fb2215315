"""Codes and product ranges found since the first tables: all there, none double, and used where an id is unknown."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from bluewatt.tables.enums import BmsError, BmsFlags, ChargerError, VeBusError, enumeration, enumeration_names
from bluewatt.tables.products import family_of, product, product_name, product_ranges, products

_TABLES = {"charger_error": "error_code", "smart_lithium_flags": "bms_flags"}
"""Names of the reference folder that differ from ours."""
_FAMILIES = {"blue_smart_charger": "charger", "orion_xs": "orion"}


def additions(shared: Path) -> list[dict[str, str]]:
    with (shared / "data/additions.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_every_code_of_the_reference_folder_has_its_name(shared: Path) -> None:
    lines = [line for line in additions(shared) if line["table"] != "product_range"]
    assert len(lines) > 40
    for line in lines:
        name = enumeration(_TABLES.get(line["table"], line["table"]))[int(line["code"])]
        assert (name.key, name.label) == (line["key"], line["label"])


def test_every_product_range_of_the_reference_folder_is_there(shared: Path) -> None:
    wanted = [
        (*(int(end, 16) for end in line["code"].split("-")), _FAMILIES[line["key"]])
        for line in additions(shared)
        if line["table"] == "product_range"
    ]
    assert [(one.first, one.last, one.family) for one in product_ranges()] == wanted


@pytest.mark.parametrize(
    ("value", "key"),
    [
        (ChargerError(9), "wire_losses"),
        (ChargerError(113), "memory_write"),
        (ChargerError(222), "solar_connect_failed"),
        (BmsError(41), "terminal_over_temperature"),
        (VeBusError(128), "relay_test_failed"),
    ],
)
def test_codes_found_since(value: ChargerError | BmsError | VeBusError, key: str) -> None:
    assert value.known
    assert value.key == key


def test_the_flag_of_an_imbalance() -> None:
    assert BmsFlags(1 << 30 | 1).keys == ["charged", "cell_imbalance"]


def test_no_enumeration_has_a_key_or_a_number_twice_and_numbers_rise() -> None:
    for name in enumeration_names():
        keys = [one.key for one in enumeration(name).values()]
        assert len(keys) == len(set(keys)), name
        if name in ("error_code", "bms_error", "vebus_error", "bms_flags"):
            assert list(enumeration(name)) == sorted(enumeration(name))


@pytest.mark.parametrize(
    ("product_id", "family"),
    [(0xA33F, "charger"), (0xA37C, "charger"), (0xA3FF, "orion"), (0xA358, None), (None, None)],
)
def test_an_id_that_is_not_listed_has_the_family_of_its_range(product_id: int | None, family: str | None) -> None:
    assert product_id is None or product(product_id) is None
    assert family_of(product_id) == family


def test_a_listed_product_keeps_its_family_and_ranges_agree_with_it() -> None:
    assert family_of(0xA389) == "smartshunt"
    assert product_name(0xA33F) == "0xA33F"
    for one in products():
        assert family_of(one.id) == one.family
        for span in product_ranges():
            assert not span.first <= one.id <= span.last or span.family == one.family, one
