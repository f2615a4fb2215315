"""The history of a solar charger: which records are read, and which day each of them is."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any, cast

import pytest

from bluewatt.errors import DeviceRefused
from bluewatt.model.identity import Device
from bluewatt.model.ports import Link
from bluewatt.model.register_values import RegisterValue, explain_register
from bluewatt.services.readout import DAYS, History, read_history
from bluewatt.tables.registers import by_key

TODAY = date(2026, 11, 25)
TOTAL, FIRST_DAY = 0x104F, 0x1050


class Charger:
    """A solar charger that holds `held` daily records and says `said` in byte 18 of its totals."""

    family = "mppt"
    device = Device("C2:00:00:00:00:07", "C2:00:00:00:00:07", "Charger", 0xA053)

    def __init__(self, held: int, said: int) -> None:
        self.held = held
        self.said = said
        self.asked: list[int] = []

    async def get(self, name: str) -> RegisterValue:
        row = by_key(name, self.family)
        assert row is not None
        if row.id == TOTAL:
            return explain_register(TOTAL, b"\x01" + bytes(17) + bytes([self.said]) + bytes(2) + b"\xff" * 13, "mppt")
        ago = row.id - FIRST_DAY
        self.asked.append(ago)
        if ago >= self.held:
            raise DeviceRefused(f"no day {ago}", register=row.id, code=2)
        return explain_register(row.id, bytes(1) + (100 + ago).to_bytes(4, "little") + bytes(29), "mppt")


async def history(charger: Charger, told: list[tuple[int, int]] | None = None) -> History:
    hear = None if told is None else lambda *progress: told.append(progress)
    return await read_history(cast(Link, charger), today=TODAY, on_day=cast(Any, hear))


@pytest.mark.parametrize(("held", "said"), [(31, 30), (5, 4), (1, 0)])
async def test_the_totals_count_the_days_behind_today_so_one_record_more_is_read(held: int, said: int) -> None:
    charger, told = Charger(held, said), list[tuple[int, int]]()
    days = (await history(charger, told)).days
    assert charger.asked == list(range(held))
    assert [day.on for day in days] == [TODAY - timedelta(days=ago) for ago in range(held)]
    assert [day.values["yield"] for day in days] == [pytest.approx(1 + ago / 100) for ago in range(held)]
    assert told == [(read, held) for read in range(1, held + 1)]


@pytest.mark.parametrize("said", [31, 200, 255])
async def test_no_register_behind_the_last_day_is_asked_for_whatever_the_totals_say(said: int) -> None:
    charger = Charger(20, said)
    days = (await history(charger)).days
    assert charger.asked == list(range(DAYS))
    assert [day.ago for day in days] == list(range(20)), "what the device refuses is left out"
