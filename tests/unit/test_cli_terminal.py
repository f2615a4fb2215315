"""What people see: every device in a line, within the width, with its state, its values, or why there are none."""

from __future__ import annotations

import io
import time

import pytest
from rich.console import Console, Group, RenderableType
from rich.text import Text

from bluewatt.exports.terminal.devices import DevicesTable, device_panel, devices_table, plain_table, status_line
from bluewatt.exports.terminal.layout import output_width
from bluewatt.exports.terminal.screens import Picture, clock_text
from bluewatt.model.display import age_text, headline, state_text, trouble, type_title, value_text, visible_values
from bluewatt.model.identity import Device
from bluewatt.model.keys import KeyRing
from bluewatt.model.reading import ADVERTISEMENT, Frame, Reading
from bluewatt.model.receiver import Receiver
from bluewatt.model.roster import Roster
from bluewatt.schema import Record
from bluewatt.services.simulator import DEFAULT_START, Site, frames
from bluewatt.tables.enums import AlarmReason, BmsWarnings, DeviceState
from bluewatt.tables.records import record_classes
from bluewatt.tables.records.battery_monitor import BatteryMonitor
from bluewatt.tables.records.lynx_smart_bms import LynxSmartBms
from bluewatt.tables.records.solar_charger import SolarCharger

SECONDS = 6.0
NOW = DEFAULT_START + SECONDS


def heard(*, keys: bool = True, wrong: bool = False) -> Roster:
    """What a receiver knows after some seconds beside a site of twenty devices."""
    site = Site(2, devices=20)
    known = {device.address: device.key[:1] + bytes(15) if wrong else device.key for device in site.devices}
    receiver, roster = Receiver(KeyRing(known if keys else {})), Roster()
    for frame in frames(site, site.now, SECONDS):
        roster.heard(frame)
        for outcome in receiver.feed(frame):
            roster.update(outcome)
    return roster


@pytest.fixture(scope="module")
def roster() -> Roster:
    return heard()


def drawn(shape: RenderableType, width: int) -> list[str]:
    console = Console(file=io.StringIO(), width=width, color_system=None)
    console.print(shape)
    output = console.file
    assert isinstance(output, io.StringIO)
    return [line.rstrip() for line in output.getvalue().splitlines()]


@pytest.mark.parametrize("width", [80, 103, 104, 110, 124, 200])
def test_the_table_fits_and_names_every_device(roster: Roster, width: int) -> None:
    lines = drawn(devices_table(roster, NOW, width=width), width)
    assert max(map(len, lines)) <= width
    for entry in roster.entries.values():
        assert any(line.startswith((entry.device.name or "?")[:18]) for line in lines)
    assert ("What" in lines[0]) == (width >= 104)
    assert len(lines) <= 1 + len(roster.entries) + 4, "a device takes one line, but for explanations"


def test_nearest_first_with_strength_and_age(roster: Roster) -> None:
    lines = drawn(devices_table(roster, NOW + 5, width=80), 80)[1:]
    strengths = [int(line.split()[-2]) for line in lines if line[:1].strip() and line.split()[-1].endswith("s")]
    assert strengths == sorted(strengths, reverse=True)
    assert {line.split()[-1] for line in lines if line[:1].strip()} <= {"5s", "6s"}


def test_why_there_are_no_values(roster: Roster) -> None:
    assert "Instant Readout is off" in " ".join(drawn(devices_table(roster, NOW, width=124), 124))
    assert plain_table(heard(keys=False), NOW).count("no key") >= 15
    wrong = plain_table(heard(wrong=True), NOW)
    assert wrong.count("wrong key") >= 12
    assert "13." not in wrong


def test_silent_devices_are_shown_as_such(roster: Roster) -> None:
    lines = drawn(devices_table(roster, NOW + 60, width=80), 80)
    assert sum("stale" in line for line in lines) >= 15


def test_one_device_in_full(roster: Roster) -> None:
    entry = next(entry for entry in roster.entries.values() if "SmartSolar roof" in (entry.device.name or ""))
    lines = drawn(device_panel(entry, NOW, width=80), 80)
    assert lines[0].startswith("SmartSolar roof  SmartSolar Charger")
    assert max(map(len, lines)) <= 80
    reading = entry.reading
    assert reading is not None
    for row, value in visible_values(reading.record):
        assert any(line.endswith(value_text(row, value)) for line in lines), row.name


def test_status_line(roster: Roster) -> None:
    line = status_line(roster, 7, mode="passive scan (the system allows it)", ending="Ctrl-C ends")
    lines = drawn(Group(line), 80)
    assert lines == ["20 devices  ·  7 advertisements  ·  Ctrl-C ends  ·  passive scan (the system al…"]


def test_a_name_cannot_draw_on_the_terminal() -> None:
    roster = Roster()
    roster.heard(Frame(NOW, "x", ADVERTISEMENT, "AA:BB:CC:DD:EE:FF", b"\x10", -50, "[red]\x1b[2Jevil[/]"))
    lines = drawn(devices_table(roster, NOW, width=80), 80)
    assert "\x1b" not in "".join(lines)
    assert lines[1].startswith("[red]")


@pytest.mark.parametrize(
    ("seconds", "text"), [(None, "–"), (0.4, "0s"), (59.9, "59s"), (61, "1m"), (7200, "2h"), (86400 * 3, "3d")]
)
def test_ages(seconds: float | None, text: str) -> None:
    assert age_text(seconds) == text


def test_values_have_their_units_and_decimals() -> None:
    rows = {row.name: row for row in BatteryMonitor.rows} | {row.name: row for row in SolarCharger.rows}
    assert value_text(rows["battery_voltage"], 13.2) == "13.20 V"
    assert value_text(rows["battery_current"], -4.5) == "-4.5 A"
    assert value_text(rows["time_to_go"], 59) == "59 min"
    assert value_text(rows["time_to_go"], 125) == "2 h 5 min"
    assert value_text(rows["device_state"], DeviceState(3)) == "Bulk"
    assert value_text(rows["pv_power"], None) == "–"


def test_alarms_come_before_the_state() -> None:
    record = BatteryMonitor(alarm_reason=AlarmReason(1), battery_voltage=10.1)
    assert trouble(record) == AlarmReason(1).labels
    assert trouble(LynxSmartBms(warnings_alarms=BmsWarnings(0b1101))) == [
        key for key in BmsWarnings(0b1101).keys if key.endswith("=alarm")
    ]
    assert trouble(SolarCharger(device_state=DeviceState(3))) == []
    assert state_text(SolarCharger(device_state=DeviceState(3))) == "Bulk"


@pytest.mark.parametrize("cls", record_classes())
def test_every_kind_of_record_has_a_headline_and_a_title(cls) -> None:
    values = {
        row.name: row.value(1) if row.count == 1 else tuple(row.value(1) for _ in range(row.count)) for row in cls.rows
    }
    raw = cls.rows[0].raw
    record = cls(b"\x01\x02") if raw else cls(**values)
    assert list(headline(record))
    assert type_title(cls.record_type) == cls.title


def test_a_device_that_takes_no_connection_now_is_marked_until_it_says_otherwise() -> None:
    """Bit 7 of the second byte; the table of a capture has no "now"."""
    roster = Roster()
    product_only = bytes.fromhex("108289a3")
    for at, payload in enumerate((product_only, bytes.fromhex("02") + bytes(20))):  # a VE.Smart broadcast says nothing
        roster.heard(Frame(NOW + at, "test", ADVERTISEMENT, "AA:BB:CC:DD:EE:01", payload, -60))
    entry = roster.entries["AA:BB:CC:DD:EE:01"]
    assert entry.hint(NOW + 1) == "takes no connection now"
    assert entry.hint(NOW + 3600) is None
    assert "takes no connection now" in plain_table(roster, NOW + 1)
    assert "takes no connection now" not in plain_table(roster, NOW + 1, counts=True)
    assert any("takes no connection now" in line for line in drawn(device_panel(entry, NOW + 1, width=80), 80))
    roster.heard(Frame(NOW + 2, "test", ADVERTISEMENT, "AA:BB:CC:DD:EE:01", bytes.fromhex("100289a3"), -60))
    assert entry.hint(NOW + 2) is None


@pytest.mark.parametrize("width", [40, 50, 60, 70, 79])
def test_narrow_tables_keep_the_values_and_leave_out_strength_then_state(roster: Roster, width: int) -> None:
    lines = drawn(devices_table(roster, NOW, width=width), width)
    assert max(map(len, lines)) <= width
    assert "Values" in lines[0]
    assert "dBm" not in lines[0]
    assert ("State" in lines[0]) == (width >= 70)
    assert ("Age" in lines[0]) == (width >= 50)
    for entry in roster.entries.values():
        parts = list(headline(entry.reading.record)) if entry.reading is not None else []
        if parts and len(parts[0]) < 24:  # records of unknown layout are long rows of bytes
            assert any(parts[0] in line for line in lines), entry.device.name


def reading_of(device: Device, record: Record) -> Reading:
    frame = Frame(NOW, "x", ADVERTISEMENT, device.address, b"\x10", -50, device.name)
    return Reading(device, NOW, frame, record)


def test_where_the_state_has_no_column_alarms_and_silence_go_before_the_values() -> None:
    roster = Roster()
    frame = Frame(NOW, "x", ADVERTISEMENT, "AA:BB:CC:DD:EE:FF", b"\x10", -50, "Bow")
    roster.heard(frame)
    device = roster.entries[frame.address].device
    alarm = BatteryMonitor(alarm_reason=AlarmReason(1), battery_voltage=10.1)
    roster.update(reading_of(device, alarm))
    assert drawn(devices_table(roster, NOW, width=40), 40)[1] == "Bow     Battery voltage low  10.10 V"
    assert drawn(devices_table(roster, NOW + 60, width=40), 40)[1] == "Bow     stale  10.10 V"
    roster.update(reading_of(device, SolarCharger(device_state=DeviceState(3), battery_voltage=13.4)))
    assert drawn(devices_table(roster, NOW, width=40), 40)[1] == "Bow     13.40 V  Bulk"


@pytest.mark.parametrize("width", [80, 104, 120, 160, 240])
def test_spare_width_is_used(roster: Roster, width: int) -> None:
    lines = drawn(devices_table(roster, NOW, width=width), width)
    names = [entry.device.name or "" for entry in roster.entries.values()]
    whole = [name for name in names if any(line.startswith(f"{name}  ") for line in lines)]
    assert len(whole) == len(names) or (width < 120 and len(whole) >= len(names) - 2)
    assert not any("…" in line for line in lines) or width < 160
    assert len(lines[0]) == width, "the last column ends at the edge"


@pytest.mark.parametrize("height", [6, 14, 18, 60])
def test_more_devices_than_lines_are_counted_and_the_status_line_stays(roster: Roster, height: int) -> None:
    table = DevicesTable(roster, NOW, width=80)
    status = status_line(roster, 7, mode="", ending="Ctrl-C ends")
    lines = drawn(Picture(table.first, len(table.entries), status, height), 80)
    assert len(lines) <= height
    assert lines[-1] == "20 devices  ·  7 advertisements  ·  Ctrl-C ends"
    named = sum(any(line.startswith((entry.device.name or "?")[:18]) for line in lines) for entry in table.entries)
    assert (f"… {20 - named} more" in lines) == (named < 20)
    assert (named < 20) == (height < 60)
    assert named >= min(height, 24) - 6, "lines are not wasted"


def test_of_a_device_higher_than_the_terminal_what_fits_is_shown(roster: Roster) -> None:
    entry = next(iter(roster.entries.values()))
    panel = device_panel(entry, NOW, width=80)
    status = status_line(roster, 7, mode="", ending="")
    lines = drawn(Picture(lambda count: Group(*[panel] * count), 3, status, 6), 80)
    assert lines == [*drawn(panel, 80)[:4], "… 2 more", "20 devices  ·  7 advertisements"]


def test_the_echo_of_ctrl_c_fits_behind_the_status_line(roster: Roster) -> None:
    """Else the terminal scrolls by a line, and the header that is drawn anew stands under the old one."""
    for width in (40, 60, 80):
        status = status_line(roster, 7, mode="passive scan (the system allows it), and more", ending="Ctrl-C ends")
        console = Console(file=io.StringIO(), width=width, color_system=None)
        last = console.render_lines(Picture(lambda _: Text("x"), 0, status, None), pad=False)[-1]
        assert sum(segment.cell_length for segment in last) <= width - len("^C")


def test_names_the_user_gave_stand_in_every_table(roster: Roster) -> None:
    entry = next(iter(roster.entries.values()))
    names = {entry.device.address: "Domestic \x1b[2J"}
    shapes = devices_table(roster, NOW, width=80, names=names), device_panel(entry, NOW, width=80, names=names)
    texts = ["\n".join(drawn(shape, 80)) for shape in shapes] + [plain_table(roster, NOW, names=names)]
    for text in texts:
        assert "Domestic" in text
        assert "\x1b" not in text
        assert (entry.device.name or "?") not in text


def test_times_that_are_utc_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC+3")
    time.tzset()
    try:
        assert clock_text(1782032400.5, utc=True) == "09:00:00Z"
        assert clock_text(1782032400.5, utc=False) == "06:00:00"
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize(("columns", "width"), [(None, 110), ("60", 60), ("20", 40), ("160", 160)])
def test_the_width_of_output_that_is_no_terminal(
    monkeypatch: pytest.MonkeyPatch, columns: str | None, width: int
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    if columns is not None:
        monkeypatch.setenv("COLUMNS", columns)
    assert output_width(Console(file=io.StringIO())) == width
