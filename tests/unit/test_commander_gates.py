"""Between a wish and a write: what changes while a person thinks, what an undo may put back, a disk that fills up."""

from __future__ import annotations

import errno
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
import pytest

from bluewatt.errors import ConfigError, DeviceRefused, Forbidden, LinkLost
from bluewatt.services.audit import Audit, AuditRecord
from bluewatt.services.commander import Commander
from bluewatt.services.write_gates import WritePlan
from bluewatt.tables.registers import by_name
from tests.unit.test_commander import ADDRESS, audit, commander, rows, solar, yes

__all__ = ["audit"]

FLOAT, BATTERY_TYPE, LOAD, MODE = 0xEDF6, 0xEDF1, 0xEDAB, 0x0200


def number(name: str) -> int:
    row = by_name(name, "mppt")
    assert row is not None
    return row.id


def while_asked(act: Callable[[], None]) -> Callable[[WritePlan], Awaitable[bool]]:
    """Consent, but something happens before it is given."""

    async def consent(plan: WritePlan) -> bool:
        act()
        return True

    return consent


def changed(audit: Audit, control: str, register: str, old: str | None, new: str = "00", **more: str) -> None:
    """A change as the audit file has it, made by us or by whoever may write the file."""
    row = AuditRecord(
        at=1.0, id=control, event="intent", device=ADDRESS, control=control, register=register, instance=3, old=old,
        new=new, **more,
    )  # fmt: skip
    audit.append(row)
    audit.append(msgspec.structs.replace(row, event="result", outcome="done"))


# after consent


async def test_a_value_that_changed_while_a_person_thought_is_not_overwritten(audit: Audit) -> None:
    link = solar()
    change = while_asked(lambda: link.held.update({FLOAT: bytes.fromhex("6405")}))
    with pytest.raises(Forbidden, match=r"changed while you were asked: it was 13.5 V, now it is 13.8 V; nothing"):
        await commander(link, audit).change("float_voltage", "13.6", change)
    assert not link.written
    assert not audit.path.exists()


async def test_a_battery_type_that_changed_while_a_person_thought_shuts_the_gate(audit: Audit) -> None:
    link = solar()
    change = while_asked(lambda: link.held.update({BATTERY_TYPE: b"\x08"}))
    with pytest.raises(Forbidden, match="only while battery_type is user-defined"):
        await commander(link, audit).change("float_voltage", "13.6", change)
    assert not link.written


async def test_limits_count_as_they_are_when_it_is_written(audit: Audit) -> None:
    link = solar()
    system = number("battery_voltage_setting")
    now_24_volts = while_asked(lambda: link.held.update({system: b"\x18"}))
    with pytest.raises(Forbidden, match=r"may be 25.2 to 29.2 V, not 13.6 V"):
        await commander(link, audit).change("float_voltage", "13.6", now_24_volts)
    model = number("charger_maximum_current")
    now_5_amperes = while_asked(lambda: link.held.update({model: b"\x32\x00"}))
    with pytest.raises(Forbidden, match=r"may be 1 to 5 A, not 10 A"):
        await commander(link, audit).change("charge_current_limit", "10", now_5_amperes)
    assert not link.written


async def test_a_link_that_ends_while_a_person_thinks_ends_the_change(audit: Audit) -> None:
    link = solar()

    def end() -> None:
        async def gone(*_: object, **__: object) -> None:
            raise LinkLost("gone")

        link.get = gone  # type: ignore[method-assign,assignment]

    with pytest.raises(LinkLost):
        await commander(link, audit).change("charger", "off", while_asked(end))
    assert not link.written
    assert not audit.path.exists()


async def test_a_plan_cannot_be_handed_in(audit: Audit) -> None:
    """What consent is shown is a copy: it can be neither changed nor given back, by any public way."""
    link = solar()
    one = commander(link, audit, allowed=["charger"])
    plan = await one.preview("float_voltage", "14.6")
    with pytest.raises(AttributeError):
        plan.raw = b"\xff\xff"  # type: ignore[misc]
    for name in (name for name in dir(Commander) if not name.startswith("_")):
        assert name in {"audit", "allowed", "link", "change", "undo", "preview", "preview_undo", "mode_control"}
    with pytest.raises((Forbidden, AttributeError)):
        await one.change(plan, yes, yes)  # type: ignore[arg-type]
    assert not link.written


# undo


async def test_undo_stays_within_the_limits_whatever_the_audit_file_says(audit: Audit) -> None:
    link = solar()
    changed(audit, "float_voltage", "0xEDF6", (2500).to_bytes(2, "little").hex())
    for way in (lambda one: one.undo(yes), lambda one: one.preview_undo()):
        with pytest.raises(Forbidden, match=r"may be 12.6 to 14.6 V, not 25 V"):
            await way(commander(link, audit))
    assert not link.written


@pytest.mark.parametrize(
    ("control", "register", "old", "why"),
    [
        ("float_voltage", "0xEDF6", "ffff", "had no value before"),
        ("charge_current_limit", "0xEDF0", "ffff", "had no value before"),
        ("device_name", "0x010C", "", "had no value before"),
        ("device_name", "0x010C", "00000000", "had no value before"),
        ("device_name", "0x010C", "ffff", "had no value before"),
        ("device_name", "0x010C", "1b5b324a", "without control characters"),
        ("charger", "0x0200", "ff", "was 255 before, which Bluewatt does not write"),
        ("charger", "0x0200", "0101", "was 257 before"),
        ("charger", "0x0200", "0100", "no longer what it was"),
        ("charger", "0xEDF6", "01", "is damaged"),
        ("charger", "0x0200", "zz", "is damaged"),
        ("battery_type", "0xEDF1", "2a", "was 42 before"),
        ("load", "0xEDAB", "81", "was 129 before"),
        ("clear_history", "0x1030", "01", "is not a control: "),
    ],
)
async def test_undo_refuses_what_nobody_may_write(
    audit: Audit, control: str, register: str, old: str, why: str
) -> None:
    link = solar(load_control="00")
    changed(audit, control, register, old)
    with pytest.raises(Forbidden, match=why):
        await commander(link, audit).undo(yes)
    assert not link.written


async def test_undo_needs_what_the_change_needed(audit: Audit) -> None:
    link = solar(battery_type="02")
    changed(audit, "float_voltage", "0xEDF6", "4605")
    with pytest.raises(Forbidden, match="only while battery_type is user-defined"):
        await commander(link, audit).undo(yes)
    with pytest.raises(Forbidden, match="the settings do not allow it: add "):
        await commander(link, audit, allowed=["charger"]).undo(yes)
    assert not link.written


async def test_undo_puts_back_a_preset_that_nobody_could_have_chosen(audit: Audit) -> None:
    link = solar(battery_type="08", load_control="05")
    one = commander(link, audit)
    await one.change("battery_type", "user", yes)
    done = await one.change("load", "off", yes)
    assert not done.plan.no_way_back
    assert (await one.undo(yes)).plan.new == "user_1"
    assert (await one.undo(yes)).plan.new == "lifepo4"
    assert (link.held[BATTERY_TYPE], link.held[LOAD]) == (b"\x08", b"\x05")


async def test_a_change_that_cannot_be_taken_back_says_so_before(audit: Audit) -> None:
    link = solar(float_voltage="c409")
    plan = await commander(link, audit).preview("float_voltage", "13.6")
    assert plan.no_way_back == "float_voltage of Charger may be 12.6 to 14.6 V, not 25 V"
    named = solar(custom_name=b"a name of more than twenty bytes".hex())
    assert "1 to 20 bytes" in (await commander(named, audit).preview("device_name", "Bow")).no_way_back


async def test_another_change_while_undo_is_asked_is_told(audit: Audit) -> None:
    link = solar()
    one = commander(link, audit)
    await one.change("float_voltage", "13.6", yes)
    with pytest.raises(Forbidden, match="another change of Charger was made while you were asked"):
        await one.undo(while_asked(lambda: changed(audit, "charger", "0x0200", "01")))


# the disk


class FullDisk:
    """Rows go to the disk until `room` of them were written."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, room: int) -> None:
        self._whole, self.room = os.write, room
        monkeypatch.setattr(os, "write", self.write)

    def write(self, handle: int, row: bytes) -> int:
        self.room -= 1
        if self.room < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return self._whole(handle, row)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full, the disk that is always full")
async def test_a_full_disk_before_the_write_refuses_it() -> None:
    link = solar()
    with pytest.raises(ConfigError, match="No space left on device; nothing was written to Charger"):
        await commander(link, Audit(Path("/dev/full"))).change("float_voltage", "13.6", yes)
    assert not link.written


async def test_a_full_disk_after_the_write_says_what_was_written(audit: Audit, monkeypatch: pytest.MonkeyPatch) -> None:
    link = solar()
    FullDisk(monkeypatch, room=1)
    with pytest.raises(ConfigError) as told:
        await commander(link, audit).change("float_voltage", "13.6", yes)
    assert "float_voltage of Charger was written (now 13.6 V, before 13.5 V), but that could not be noted" in str(
        told.value
    )
    assert "nothing" not in str(told.value)
    assert link.held[FLOAT] == bytes.fromhex("5005")
    assert [row["event"] for row in rows(audit)] == ["intent"]
    monkeypatch.undo()
    await commander(link, audit).undo(yes)
    assert link.held[FLOAT] == bytes.fromhex("4605")


@pytest.mark.parametrize(
    ("clamps", "said"),
    [(False, "the device said no"), (True, "Charger holds Charger on after off was written to charger")],
)
async def test_a_full_disk_after_a_failed_write_hides_neither(
    audit: Audit, monkeypatch: pytest.MonkeyPatch, clamps: bool, said: str
) -> None:
    link = solar()
    link.clamps = clamps
    link.after_write = None if clamps else DeviceRefused("the device said no", register=MODE, code=2)
    FullDisk(monkeypatch, room=1)
    with pytest.raises(DeviceRefused) as told:
        await commander(link, audit).change("charger", "off", yes)
    assert said in str(told.value)
    assert "; and that could not be noted: the audit file" in str(told.value)


async def test_a_write_that_cannot_be_read_back_is_not_called_refused(audit: Audit) -> None:
    link = solar()
    read = link.get

    async def once(register: str | int, instance: int | None = None) -> object:
        if link.written and register == MODE:
            raise DeviceRefused("not now", register=MODE, code=3)
        return await read(register, instance)

    link.get = once  # type: ignore[method-assign,assignment]
    with pytest.raises(DeviceRefused, match="not now; whether charger is off now is not known"):
        await commander(link, audit).change("charger", "off", yes)
    assert rows(audit)[1]["outcome"] == "unknown"
    link.get = read  # type: ignore[method-assign]
    await commander(link, audit).undo(yes)
    assert link.held[MODE] == b"\x01"
