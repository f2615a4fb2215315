"""Readings as JSON lines."""

from __future__ import annotations

import json

import pytest

from bluewatt.model.identity import Device
from bluewatt.model.json_objects import json_line, utc_text
from bluewatt.model.reading import ADVERTISEMENT, Frame, Reading, Undecoded
from bluewatt.schema import Record
from bluewatt.tables.enums import AlarmReason, AuxMode, BmsIoStatus, ChargerError, DeviceState
from bluewatt.tables.records.battery_monitor import BatteryMonitor
from bluewatt.tables.records.lynx_smart_bms import LynxSmartBms
from bluewatt.tables.records.smart_bms import SmartBms
from bluewatt.tables.records.smart_lithium import SmartLithium
from bluewatt.tables.records.solar_charger import SolarCharger

FRAME = Frame(1_795_197_600.123, "capture:drive.btsnoop", ADVERTISEMENT, "AA:BB:CC:DD:EE:FF", b"\x10\x02", -65)
DEVICE = Device("AA:BB:CC:DD:EE:FF", "AA:BB:CC:DD:EE:FF", "Roof", 0xA053)


def values(record: Record) -> dict[str, object]:
    line = json.loads(json_line(Reading(DEVICE, FRAME.at, FRAME, record)))
    found: dict[str, object] = line["values"]
    return found


def test_the_form_of_a_reading() -> None:
    line = json.loads(json_line(Reading(DEVICE, FRAME.at, FRAME, SolarCharger(battery_voltage=12.53), {"pv_power": 1})))
    assert line["at"] == "2026-11-20T18:00:00.123Z"
    assert line["source"] == "capture:drive.btsnoop"
    assert line["kind"] == "advertisement"
    assert line["device"] == {
        "id": DEVICE.id, "address": DEVICE.address, "name": "Roof", "product_id": "0xA053",
        "product": "SmartSolar Charger MPPT 75/15",
    }  # fmt: skip
    assert (line["record_type"], line["record"], line["rssi"]) == ("0x01", "solar_charger", -65)
    assert line["values"]["battery_voltage"] == 12.53
    assert line["values"]["pv_power"] is None
    assert line["rejected"] == {"pv_power": 1}
    assert list(line) == ["at", "source", "kind", "device", "record_type", "record", "rssi", "values", "rejected"]


def test_a_strength_that_is_not_known_and_a_name_with_quotes() -> None:
    frame = Frame(FRAME.at, 'capture:"a"\n', ADVERTISEMENT, DEVICE.address, b"", None)
    line = json.loads(json_line(Reading(Device("1", DEVICE.address, 'Böe "2"'), frame.at, frame, SolarCharger())))
    assert (line["source"], line["device"]["name"], line["rssi"]) == ('capture:"a"\n', 'Böe "2"', None)
    assert "product_id" not in line["device"]


def test_equal_numbers_of_different_enumerations_keep_their_own_names() -> None:
    for number, state, error in ((3, "bulk", "remote_temperature_a"), (2, "fault", "battery_voltage_high")):
        shown = values(SolarCharger(device_state=DeviceState(number), charger_error=ChargerError(number)))
        assert (shown["device_state"], shown["charger_error"]) == (state, error)


def test_masks_are_lists_and_overlays_absent() -> None:
    shown = values(BatteryMonitor(alarm_reason=AlarmReason(5), aux_mode=AuxMode(3)))
    assert shown["alarm_reason"] == ["low_voltage", "low_soc"]
    assert shown["aux_mode"] == "none"
    assert shown["starter_voltage"] is None
    assert "aux_unused" not in shown


def test_lists_groups_and_raw_bytes() -> None:
    assert values(SmartLithium(cell_voltages=(3.3,) * 7 + (None,)))["cell_voltages"] == [3.3] * 7 + [None]
    assert values(LynxSmartBms(io_status=BmsIoStatus(0b1001)))["io_status"] == ["contactor=yes", "allowed_to_charge=no"]
    assert values(SmartBms(b"\x00\xe8")) == {"raw": "00e8"}


def test_an_unnamed_state_shows_its_number() -> None:
    assert values(SolarCharger(device_state=DeviceState(99)))["device_state"] == "unknown(99)"


def test_what_gave_no_values_says_why() -> None:
    line = json.loads(json_line(Undecoded(DEVICE, FRAME.at, FRAME, "KeyMissing", "no key", 0x01)))
    assert (line["kind"], line["reason"], line["detail"], line["raw"]) == ("undecoded", "KeyMissing", "no key", "1002")


@pytest.mark.parametrize(("at", "text"), [(0.0, "1970-01-01T00:00:00.000Z"), (1.9996, "1970-01-01T00:00:02.000Z")])
def test_times_round_to_milliseconds(at: float, text: str) -> None:
    assert utc_text(at) == text


@pytest.mark.parametrize(
    ("at", "day"),
    [(9.2e12, "9999-12-31"), (1.8e19, "9999-12-31"), (-6.2168e10, "0001-01-01"), (-6.2e10, "0005-04-19")],
)
def test_times_that_no_calendar_has_stay_within_it(at: float, day: str) -> None:
    assert utc_text(at)[:10] == day
