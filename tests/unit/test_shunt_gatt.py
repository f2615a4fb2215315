"""The documented SmartShunt service: its table, its keep-alive, and the device's side of it."""

from __future__ import annotations

import math
import re

import pytest

from bluewatt.errors import Malformed, Unencodable, UnknownType
from bluewatt.tables.gatt import SHUNT_SERVICE
from bluewatt.tables.metrics import any_metric
from bluewatt.tables.smartshunt import CHARACTERISTICS, KEEP_ALIVE, KEEP_ALIVE_GRACE, MEASUREMENTS
from bluewatt.wire.smartshunt import (
    BY_METRIC,
    BY_UUID,
    KeepAlive,
    ShuntService,
    decode_characteristic,
    encode_characteristic,
)

VOLTAGE = BY_METRIC["battery_voltage"].uuid
CURRENT = BY_METRIC["battery_current"].uuid
FOREIGN = "00002a19-0000-1000-8000-00805f9b34fb"


def test_the_service_has_eleven_characteristics_with_uuids_of_their_own() -> None:
    assert len(CHARACTERISTICS) == len(BY_UUID) == len(BY_METRIC) == 11
    for uuid in BY_UUID:
        assert re.fullmatch(r"6597[0-9a-f]{4}" + SHUNT_SERVICE[8:], uuid)


def test_only_the_keep_alive_is_written_and_all_else_notifies() -> None:
    assert "write" in KEEP_ALIVE.access
    assert all(row.access == ("read", "notify") for row in MEASUREMENTS)


def test_every_measurement_is_a_metric_in_its_unit() -> None:
    for row in MEASUREMENTS:
        metric = any_metric(row.metric)
        assert metric is not None, row.metric
        assert metric.unit == row.unit, row.metric


def test_a_uuid_is_found_in_any_case() -> None:
    assert decode_characteristic(VOLTAGE.upper(), bytes.fromhex("e504")) == 12.53


@pytest.mark.parametrize(
    "call", [lambda: decode_characteristic(FOREIGN, b""), lambda: encode_characteristic(FOREIGN, 1)]
)
def test_a_foreign_uuid_is_an_unknown_type(call: object) -> None:
    assert callable(call)
    with pytest.raises(UnknownType, match=FOREIGN):
        call()


@pytest.mark.parametrize(
    ("metric", "value"),
    [
        ("battery_voltage", 400.0),
        ("battery_voltage", 327.67),  # the pattern of "not available"
        ("state_of_charge", -1),
        ("battery_power", math.nan),
        ("battery_power", math.inf),
        ("ble_connection_keep_alive", 65.535),  # the pattern of "for ever"
        ("ble_connection_keep_alive", -0.001),
    ],
)
def test_a_value_the_row_cannot_hold_is_refused(metric: str, value: float) -> None:
    with pytest.raises(Unencodable, match=metric):
        encode_characteristic(BY_METRIC[metric].uuid, value)


class TestKeepAlive:
    def test_without_a_write_the_device_ends_the_connection_after_a_minute(self) -> None:
        timer = KeepAlive(now=1000.0)
        assert not timer.expired(1000.0 + KEEP_ALIVE_GRACE - 0.001)
        assert timer.expired(1000.0 + KEEP_ALIVE_GRACE)

    def test_a_write_restarts_the_timer_with_its_own_time_in_milliseconds(self) -> None:
        timer = KeepAlive(now=0.0)
        timer.receive((20_000).to_bytes(2, "little"), 50.0)
        assert timer.expires_at == 70.0
        assert not timer.expired(69.9)
        assert timer.expired(70.0)

    def test_all_ones_hold_the_connection_for_ever(self) -> None:
        timer = KeepAlive(now=0.0)
        timer.receive(b"\xff\xff", 1.0)
        assert timer.expires_at == timer.renew_at == math.inf
        assert not timer.expired(1e12)

    def test_a_write_after_for_ever_arms_it_again(self) -> None:
        timer = KeepAlive(now=0.0)
        timer.receive(b"\xff\xff", 1.0)
        timer.receive((1000).to_bytes(2, "little"), 2.0)
        assert timer.expires_at == 3.0

    def test_zero_runs_out_at_once(self) -> None:
        timer = KeepAlive(now=0.0)
        timer.receive(b"\0\0", 5.0)
        assert timer.expired(5.0)

    @pytest.mark.parametrize("raw", [b"", b"\xff", b"\xff\xff\xff"])
    def test_a_write_of_the_wrong_length_leaves_the_timer_alone(self, raw: bytes) -> None:
        timer = KeepAlive(now=0.0)
        with pytest.raises(Malformed, match="2 bytes"):
            timer.receive(raw, 30.0)
        assert timer.expires_at == KEEP_ALIVE_GRACE
        assert timer.raw == b""

    def test_the_client_writes_at_once_and_then_in_good_time(self) -> None:
        timer = KeepAlive(now=10.0)
        assert timer.renew_at == 10.0
        assert timer.renew(10.5) == (60_000).to_bytes(2, "little")
        assert timer.renew_at == 40.5
        assert timer.renew(40.5, seconds=30.0) == (30_000).to_bytes(2, "little")
        assert timer.renew_at == 55.5
        assert timer.renew(55.5, seconds=math.inf) == b"\xff\xff"
        assert timer.renew_at == math.inf

    def test_a_client_that_keeps_to_its_times_is_never_disconnected(self) -> None:
        client, device, now = KeepAlive(now=0.0), KeepAlive(now=0.0), 0.0
        while now < 600.0:
            now = client.renew_at + 1.0
            assert not device.expired(now)
            device.receive(client.renew(now, seconds=20.0), now)

    def test_a_client_cannot_ask_for_more_than_the_field_holds(self) -> None:
        with pytest.raises(Unencodable):
            KeepAlive(now=0.0).renew(0.0, seconds=70.0)


class TestShuntService:
    def test_measurements_start_as_not_available(self) -> None:
        service = ShuntService(now=0.0)
        for row in MEASUREMENTS:
            raw = service.read(row.uuid)
            assert len(raw) == row.size
            assert decode_characteristic(row.uuid, raw) is None

    def test_an_update_is_read_and_notified_once(self) -> None:
        service = ShuntService(now=0.0)
        values = {"battery_voltage": 12.53, "battery_current": -1.5}
        assert service.update(values) == {VOLTAGE: bytes.fromhex("e504"), CURRENT: bytes.fromhex("24faffff")}
        assert service.read(VOLTAGE) == bytes.fromhex("e504")
        assert service.update(values) == {}
        assert service.update(values | {"battery_voltage": None}) == {VOLTAGE: bytes.fromhex("ff7f")}

    def test_metrics_of_other_devices_are_passed_over(self) -> None:
        service = ShuntService(now=0.0)
        assert service.update({"pv_power": 120, "ble_connection_keep_alive": 1.0}) == {}
        assert service.read(KEEP_ALIVE.uuid) == b""

    def test_an_update_out_of_range_changes_nothing(self) -> None:
        service = ShuntService(now=0.0)
        with pytest.raises(Unencodable):
            service.update({"battery_current": 1.0, "battery_voltage": 1000.0})
        assert decode_characteristic(CURRENT, service.read(CURRENT)) is None

    def test_the_keep_alive_is_written_and_read_back(self) -> None:
        service = ShuntService(now=0.0)
        assert service.read(KEEP_ALIVE.uuid) == b""
        service.write(KEEP_ALIVE.uuid, b"\x20\x4e", 5.0)
        assert service.read(KEEP_ALIVE.uuid) == b"\x20\x4e"
        assert service.keep_alive.expires_at == 25.0

    def test_a_new_connection_starts_its_own_minute_and_keeps_the_measurements(self) -> None:
        service = ShuntService(now=0.0)
        service.update({"battery_voltage": 12.53})
        service.write(KEEP_ALIVE.uuid, b"\xff\xff", 1.0)
        service.connect(100.0)
        assert service.keep_alive.expires_at == 160.0
        assert service.read(KEEP_ALIVE.uuid) == b""
        assert decode_characteristic(VOLTAGE, service.read(VOLTAGE)) == 12.53

    def test_a_measurement_cannot_be_written(self) -> None:
        with pytest.raises(UnknownType, match="cannot be written"):
            ShuntService(now=0.0).write(VOLTAGE, b"\0\0", 0.0)
