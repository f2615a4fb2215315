"""Reads a device over a link: by name, by group, everything it knows, its facts, its history.

What a device does not have is left out, so a group can be read from any device of a family.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date, timedelta
from typing import Any

import msgspec

from bluewatt.errors import DeviceRefused, LinkTimeout, Unencodable
from bluewatt.model.ports import Link
from bluewatt.model.register_values import RegisterValue
from bluewatt.tables.products import product_name
from bluewatt.tables.registers import EVERY_FAMILY, Register, by_key, by_metric, registers

FACTS = ("product_id", "model_name", "firmware_version", "serial_number", "custom_name", "uptime", "ble_mac_address")
"""Keys of the registers that identify a device."""

DAYS = 31
"""Daily records a solar charger keeps at most, today's included (protocol page victronconnect-gatt, section 13)."""

_TOTAL, _DAY = "history_total", "history_day"
_EMPTY_DAYS = frozenset({4, 255})  # section 13: the version byte of a day that never was
_OPERATING = ("history_operating_time", "history_energy")
_TREND = "_trend"


def _is_live(row: Register) -> bool:
    return row.metric is not None and not row.persistent and not row.key.endswith(_TREND)


def _is_setting(row: Register) -> bool:
    return row.writable and row.persistent


def _is_history(row: Register) -> bool:
    counted = row.metric is not None and not row.writable and row.persistent
    return (counted and not row.layout) or row.key in (_TOTAL, *_OPERATING)


GROUPS: dict[str, Callable[[Register], bool]] = {
    "facts": lambda row: row.key in FACTS,
    "live": _is_live,
    "settings": _is_setting,
    "history": _is_history,
    "all": lambda row: not row.layout.startswith(_DAY),
}
"""Groups of registers that are read together; `read_history` reads the days of a history."""


def rows_of(group: str, family: str | None) -> list[Register]:
    """Return the readable registers of a group in a family, without secrets; Unencodable for an unknown group."""
    belongs = GROUPS.get(group)
    if belongs is None:
        raise Unencodable(f"no group is called {group!r}; there are: {', '.join(GROUPS)}")
    return [row for row in registers(family or EVERY_FAMILY) if row.readable and not row.secret and belongs(row)]


async def read_named(link: Link, names: Iterable[str]) -> list[RegisterValue]:
    """Read registers by name; the first refusal or silence is raised."""
    found: list[RegisterValue] = []
    for outcome in await link.get_many(names):
        if isinstance(outcome, DeviceRefused | LinkTimeout):
            raise outcome
        found.append(outcome)
    return found


async def read_group(link: Link, *groups: str) -> list[RegisterValue]:
    """Read groups, each metric once (its finest register) except in "all"; LinkTimeout if there is no answer."""
    rows = list(dict.fromkeys(row for group in groups for row in rows_of(group, link.family)))
    outcomes = await link.get_many([row.id for row in rows])
    found = [outcome for outcome in outcomes if isinstance(outcome, RegisterValue)]
    silent = next((outcome for outcome in outcomes if isinstance(outcome, LinkTimeout)), None)
    if not found and silent is not None:
        raise silent
    return found if "all" in groups else _finest(found, link.family)


def _finest(found: list[RegisterValue], family: str | None) -> list[RegisterValue]:
    best: dict[str, RegisterValue] = {}
    for value in found:
        known = best.get(value.key)
        if known is None or _rank(value, family) < _rank(known, family):
            best[value.key] = value
    return list(best.values())


def _rank(value: RegisterValue, family: str | None) -> tuple[bool, int]:
    """Return the rank of a register: a value before none, then the table's order of the registers of a metric."""
    order = [row.id for row in by_metric(value.key, family)]
    return value.value is None, order.index(value.register) if value.register in order else len(order)


class Facts(msgspec.Struct, frozen=True):
    """The identity of a device; None for what it does not answer."""

    address: str
    name: str | None
    product_id: int | None
    product: str | None
    firmware: str | None
    serial: str | None


async def read_facts(link: Link) -> Facts:
    """Read product, firmware, serial number and name."""
    answers = {one.row.key: one.value for one in await read_group(link, "facts") if one.row}
    device = link.device
    firmware = answers.get("firmware_version") or {}
    version = firmware.get("version")
    return Facts(
        address=device.address,
        name=answers.get("custom_name") or device.name,
        product_id=device.product_id,
        product=product_name(device.product_id) if device.product_id is not None else answers.get("model_name"),
        firmware=str(version) if version is not None else None,
        serial=answers.get("serial_number") or None,
    )


class Day(msgspec.Struct, frozen=True):
    """One day of a solar charger."""

    ago: int
    """Days before today; the device ends its day at dusk, not at midnight (single source)."""
    on: date
    values: dict[str, Any]
    """Values by field of the layout; `version`, errors and spare bytes as they came."""


class History(msgspec.Struct, frozen=True):
    """The history that a device keeps."""

    days: list[Day] = []
    totals: dict[str, Any] = {}
    counters: list[RegisterValue] = []


async def read_history(link: Link, *, today: date, on_day: Callable[[int, int], None] | None = None) -> History:
    """Read the days and totals of a solar charger, or the counters of a battery monitor or inverter.

    Only the days the device says it has are read, a request each, which is what its firmware bears best; empty days are
    left out. It counts the days behind today, so there is one record more (two real chargers: 31 records, and 30 said).
    `on_day` hears (days read, days to read). DeviceRefused for a device that keeps none.
    """
    total = by_key(_TOTAL, link.family)
    if total is None or total.borrowed:
        return await _read_counters(link)
    totals = (await link.get(_TOTAL)).value
    behind = totals.get("days_available")
    records = DAYS if behind is None else min(int(behind) + 1, DAYS)
    days: list[Day] = []
    for ago in range(records):
        day = await _read_day(link, ago, today)
        if day is not None:
            days.append(day)
        if on_day:
            on_day(ago + 1, records)
    return History(days=days, totals=totals)


async def _read_day(link: Link, ago: int, today: date) -> Day | None:
    try:
        values = (await link.get(f"{_DAY}_{ago:02d}")).value
    except DeviceRefused:
        return None  # code 2 was seen for a day that does not exist
    if not values or values.get("version") in _EMPTY_DAYS:
        return None
    return Day(ago, today - timedelta(days=ago), values)


async def _read_counters(link: Link) -> History:
    counters = await read_group(link, "history")
    if not counters:
        name = link.device.name or link.device.address
        raise DeviceRefused(f"{name} keeps no history that can be read", register=0, code=1)
    return History(counters=counters)
