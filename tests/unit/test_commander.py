"""The path of a write: every gate refuses what it should, and the audit rows tell the truth whatever happens."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import AsyncGenerator, Iterable
from pathlib import Path
from typing import Any

import pytest

from bluewatt.errors import ConfigError, DeviceRefused, Forbidden, LinkLost, LinkTimeout
from bluewatt.model.identity import Device
from bluewatt.model.register_values import RegisterReading, RegisterValue, explain_register
from bluewatt.services.audit import Audit, AuditRecord
from bluewatt.services.commander import Commander
from bluewatt.services.write_gates import WritePlan
from bluewatt.tables.controls import CONTROLS
from bluewatt.tables.registers import by_name

ADDRESS = "C2:00:00:00:00:07"
EVERYTHING = frozenset(row.name for row in CONTROLS)


class Device0:
    """A link and its writer without a radio: registers in a dict, every write remembered."""

    data_instance = 3
    device = Device(ADDRESS, ADDRESS, "Charger", 0xA053)

    def __init__(self, family: str = "mppt", **registers: str) -> None:
        self.family = family
        self.held = {self._id(name): bytes.fromhex(raw) for name, raw in registers.items()}
        self.written: list[tuple[int, bytes, int | None]] = []
        self.after_write: Exception | None = None
        self.clamps = False

    def _id(self, name: str | int) -> int:
        row = by_name(name, self.family) if isinstance(name, str) else None
        return name if isinstance(name, int) else row.id if row else -1

    async def get(self, register: str | int, instance: int | None = None) -> RegisterValue:
        number = self._id(register)
        if number not in self.held:
            raise DeviceRefused(f"no 0x{number:04X}", register=number, code=1)
        return explain_register(number, self.held[number], self.family, instance=3)

    async def get_many(self, registers: Iterable[str | int], instance: int | None = None) -> list[Any]:
        return [await self.get(register, instance) for register in registers]

    async def write(self, register: int, raw: bytes, instance: int) -> None:
        self.written.append((register, raw, instance))
        if self.after_write:
            raise self.after_write
        if not self.clamps:
            self.held[register] = raw

    async def subscribe(self) -> AsyncGenerator[RegisterReading, None]:
        raise LinkLost("no stream")
        yield

    async def devices(self) -> tuple[tuple[int, int], ...]:
        return ((3, 1),)

    async def unlock(self, pin: str) -> bool:
        return False


def solar(**registers: str) -> Device0:
    known = {
        "device_mode": "01", "float_voltage": "4605", "absorption_voltage": "a005", "battery_type": "ff",
        "battery_voltage_setting": "0c", "battery_maximum_current": "9600", "charger_maximum_current": "9600",
        "custom_name": "4166742062616e6b",
    }  # fmt: skip
    return Device0("mppt", **(known | registers))


@pytest.fixture
def audit(tmp_path: Path) -> Audit:
    return Audit(tmp_path / "state" / "audit.jsonl")


def commander(link: Device0, audit: Audit, allowed: Iterable[str] = EVERYTHING) -> Commander:
    return Commander(link, link, allowed=frozenset(allowed), audit=audit, clock=lambda: 1_000.0)


async def yes(plan: WritePlan) -> bool:
    return True


async def no(plan: WritePlan) -> bool:
    return False


def rows(audit: Audit) -> list[dict[str, Any]]:
    return [json.loads(line) for line in audit.path.read_bytes().splitlines()]


async def test_a_write_is_intended_written_read_back_and_recorded(audit: Audit) -> None:
    link = solar()
    one = commander(link, audit)
    shown: list[WritePlan] = []

    async def look(plan: WritePlan) -> bool:
        shown.append(plan)
        return True

    done = await one.change("float_voltage", "13.6", look)
    assert shown == [done.plan]
    assert done.plan.message == bytes.fromhex("060382 19edf6 42 5005".replace(" ", ""))
    assert done.plan.old == 13.5
    assert not done.plan.no_way_back
    assert done.held is not None
    assert done.held.value == 13.6
    assert link.written == [(0xEDF6, bytes.fromhex("5005"), 3)]
    intent, result = rows(audit)
    assert (intent["event"], intent["old"], intent["new"]) == ("intent", "4605", "5005")
    assert (result["event"], result["outcome"], result["read_back"]) == ("result", "done", "5005")
    assert intent["id"] == result["id"]
    assert intent["device"] == ADDRESS
    assert audit.path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("clear_history", "1", "'clear_history' is not a control: Charger has charger, load"),
        ("0x1030", "1", "is not a control: "),
        ("battery_capacity", "200", "is not a control: "),
        ("inverter", "on", "is not a control of the family mppt: "),
        ("charger", "eco", "charger is one of on, off, not 'eco'"),
        ("float_voltage", "17", "may be 12.6 to 14.6 V, not 17 V"),
        ("float_voltage", "nan", "may be 12.6 to 14.6 V"),
        ("float_voltage", "much", "is a number, not 'much'"),
        ("charge_current_limit", "15.1", "may be 1 to 15 A"),
        ("charge_current_limit", "0", "may be 1 to 15 A"),
        ("device_name", "x" * 21, "a text of 1 to 20 bytes"),
        ("device_name", "\x1b[2J", "without control characters"),
        ("device_name", " ", "a text of 1 to 20 bytes"),
    ],
)
async def test_what_is_not_listed_or_not_in_range_is_forbidden(audit: Audit, name: str, value: str, why: str) -> None:
    link = solar()
    with pytest.raises(Forbidden, match=why) as forbidden:
        await commander(link, audit).change(name, value, yes)
    assert forbidden.value.exit_code == 4
    assert not link.written
    assert not audit.path.exists()


async def test_limits_grow_with_the_system_voltage(audit: Audit) -> None:
    link = solar(battery_voltage_setting="18")
    assert (await commander(link, audit).preview("float_voltage", "27.2")).raw == (2720).to_bytes(2, "little")
    with pytest.raises(Forbidden, match=r"may be 25.2 to 29.2 V"):
        await commander(link, audit).change("float_voltage", "13.5", yes)
    silent = solar()
    del silent.held[by_name("battery_voltage_setting", "mppt").id]  # type: ignore[union-attr]
    with pytest.raises(Forbidden, match="does not give its system voltage"):
        await commander(silent, audit).change("float_voltage", "13.5", yes)


async def test_charge_voltages_want_a_user_defined_battery(audit: Audit) -> None:
    link = solar(battery_type="02")
    with pytest.raises(Forbidden, match=r"only while battery_type is user-defined .*battery_type=user"):
        await commander(link, audit).change("absorption_voltage", "14.4", yes)
    one = commander(link, audit)
    await one.change("battery_type", "user", yes)
    assert (await one.preview("absorption_voltage", "14.4")).raw == (1440).to_bytes(2, "little")


async def test_nothing_is_written_without_permission_or_consent(audit: Audit) -> None:
    link = solar()
    with pytest.raises(Forbidden, match=r'allow_writes = \["charger"\]'):
        await commander(link, audit, allowed=["load"]).change("charger", "off", yes)
    looked = await commander(link, audit, allowed=[]).preview("charger", "off")
    assert looked.message == bytes.fromhex("06038219020041" + "04")
    with pytest.raises(Forbidden, match="the settings do not allow it: add "):
        await commander(link, audit, allowed=[]).change("charger", "off", yes)
    with pytest.raises(Forbidden, match="no consent"):
        await commander(link, audit).change("charger", "off", no)
    assert not link.written
    assert not audit.path.exists()


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (DeviceRefused("no", register=0x200, code=2), "refused"),
        (LinkLost("gone"), "unknown"),
        (LinkTimeout("silent"), "unknown"),
    ],
)
async def test_a_failed_write_is_recorded_as_what_it_is(audit: Audit, error: Exception, outcome: str) -> None:
    link = solar()
    link.after_write = error
    one = commander(link, audit)
    with pytest.raises(type(error)) as told:
        await one.change("charger", "off", yes)
    assert [row["event"] for row in rows(audit)] == ["intent", "result"]
    assert rows(audit)[1]["outcome"] == outcome
    assert rows(audit)[1]["detail"] == str(told.value)
    assert ("whether charger is off now is not known" in str(told.value)) == (outcome == "unknown")
    assert str(error) in ("no", "gone", "silent"), "the link shares its error: it must stay as it is"
    assert (audit.last_change(ADDRESS) is None) == (outcome == "refused")


async def test_a_crash_between_write_and_read_back_leaves_an_honest_row(audit: Audit) -> None:
    link = solar()
    link.after_write = KeyboardInterrupt()  # type: ignore[assignment]
    one = commander(link, audit)
    with pytest.raises(KeyboardInterrupt):
        await one.change("charger", "off", yes)
    assert [row["event"] for row in rows(audit)] == ["intent"]
    left = audit.unfinished(ADDRESS)
    assert left is not None
    assert left.intent.new == "04"
    link.after_write = None
    await one.undo(yes)
    assert link.held[0x0200] == b"\x01"
    assert audit.unfinished(ADDRESS) is None


async def test_a_device_that_keeps_another_value_is_told(audit: Audit) -> None:
    link = solar()
    link.clamps = True
    one = commander(link, audit)
    with pytest.raises(DeviceRefused, match=r"holds 13.5 V after 13.7 V was written to float_voltage"):
        await one.change("float_voltage", "13.7", yes)
    assert rows(audit)[1]["outcome"] == "differs"
    assert rows(audit)[1]["read_back"] == "4605"


async def test_undo_goes_back_one_change_at_a_time(audit: Audit) -> None:
    link = solar()
    one = commander(link, audit)
    await one.change("float_voltage", "13.6", yes)
    await one.change("device_name", "Bow", yes)
    assert (await one.undo(yes)).held.value == "Aft bank"  # type: ignore[union-attr]
    with pytest.raises(Forbidden, match="allow_writes"):
        await commander(link, audit, allowed=["device_name"]).undo(yes)
    assert (await one.undo(yes)).held.value == 13.5  # type: ignore[union-attr]
    with pytest.raises(Forbidden, match="nothing that was changed on Charger can be taken back"):
        await one.undo(yes)


async def test_a_command_has_nothing_to_read_back_or_undo(audit: Audit) -> None:
    link = Device0("smartshunt")
    one = commander(link, audit)
    done = await one.change("synchronize", "yes", yes)
    assert done.held is None
    assert done.plan.no_way_back
    assert link.written == [(0x102C, b"", 3)]
    with pytest.raises(Forbidden, match="nothing that was changed"):
        await one.undo(yes)


def test_the_mode_of_a_device(audit: Audit) -> None:
    assert commander(Device0("mppt"), audit).mode_control() == "charger"
    assert commander(Device0("phoenix"), audit).mode_control() == "inverter"
    with pytest.raises(Forbidden, match="has no mode that may be switched"):
        commander(Device0("smartshunt"), audit).mode_control()


def test_a_torn_row_spoils_itself_only(audit: Audit) -> None:
    def entry(number: int) -> AuditRecord:
        return AuditRecord(at=1.0, id=str(number), event="intent", device=ADDRESS, control="charger", old="01")

    audit.append(entry(1))
    with audit.path.open("ab") as file:
        file.write(b'{"at":1,"id":"2","event":"int')
    audit.append(entry(3))
    assert [one.id for one in audit.entries()] == ["1", "3"]


async def test_an_audit_file_that_cannot_be_written_stops_the_write(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file, not a folder")
    link = solar()
    one = commander(link, Audit(tmp_path / "state" / "audit.jsonl"))
    with pytest.raises(ConfigError, match=r"cannot be written: .*; nothing was written to Charger"):
        await one.change("charger", "off", yes)
    assert not link.written


async def test_half_a_row_on_a_full_disk_stops_the_write(audit: Audit, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, room = os.write, [20]

    def nearly_full(handle: int, row: bytes) -> int:
        if not room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return whole(handle, row[: room.pop()])

    monkeypatch.setattr(os, "write", nearly_full)
    link = solar()
    one = commander(link, audit)
    with pytest.raises(ConfigError, match="No space left"):
        await one.change("charger", "off", yes)
    assert not link.written
    assert audit.path.read_bytes() == b""
