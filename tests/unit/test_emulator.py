"""The emulated device without a radio: rows, codes, memory, feeds and the network counter."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from bluewatt.errors import ConfigError, Malformed
from bluewatt.services.emulator import FAMILIES, EmulatedDevice, FedValues, Memory, pin_text
from bluewatt.services.emulator.families import OLD_FIRMWARE
from bluewatt.services.emulator.feed import values_of_line, values_of_message
from bluewatt.services.emulator.registers import content
from bluewatt.services.simulator import DEFAULT_START
from bluewatt.services.simulator.devices.charger import Charger
from bluewatt.tables.gatt import ResultCode
from bluewatt.tables.products import product
from bluewatt.tables.records.ac_charger import AcCharger
from bluewatt.tables.records.battery_monitor import BatteryMonitor
from bluewatt.tables.registers import by_key
from bluewatt.tables.vesmart import RESTART_SKIP
from bluewatt.wire.instant_readout.advertisement import decode_advertisement
from bluewatt.wire.instant_readout.records import encode_record
from bluewatt.wire.vesmart.broadcast import Network, parse_broadcast
from bluewatt.wire.vesmart.network import ContentHeard, NetworkReceiver
from tests.making.devices import emulated_device as device

NETWORK = Network.of("d3a0", "11" * 16)


def number(key: str, family: str) -> int:
    row = by_key(key, FAMILIES[family].table)
    assert row is not None
    return row.id


@pytest.mark.parametrize("key", FAMILIES)
def test_every_row_is_a_register_of_its_family(key: str) -> None:
    family = FAMILIES[key]
    for shown in (*family.live, *family.kept):
        row = by_key(shown.register, family.table)
        assert row is not None, shown.register
        assert not row.borrowed, shown.register
        assert shown.command == (not row.readable), shown.register
        assert not shown.writable or row.writable or shown.passing, shown.register
        if shown.fixed is not None:
            assert isinstance(content(row, shown.fixed), bytes), shown.register
    sold = product(family.product_id)
    assert sold is not None
    assert sold.family == family.table
    names = [shown.register for shown in (*family.live, *family.kept)]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("key", FAMILIES)
def test_the_command_line_knows_the_families(key: str) -> None:
    from bluewatt.cli.emulate import DEVICES

    assert key in DEVICES
    assert len(DEVICES) == len(FAMILIES)


def test_codes_of_refusal() -> None:
    store = device("mppt").registers
    mode, power = number("device_mode", "mppt"), number("pv_power", "mppt")
    assert store.get(3, 0x7777) == ResultCode.UNKNOWN_REGISTER
    assert store.set(3, 0x7777, b"") == ResultCode.UNKNOWN_REGISTER
    assert store.set(3, power, bytes(4)) == ResultCode.ACCESS_REFUSED
    assert store.set(3, mode, b"\x01\x00") == ResultCode.NOT_ACCEPTABLE
    assert store.set(3, mode, b"\x05") == ResultCode.NOT_ACCEPTABLE
    assert store.set(3, mode, b"\x04") == b"\x04"
    assert store.get(3, mode) == b"\x04"
    assert device("smartshunt").registers.get(3, number("synchronize", "smartshunt")) == ResultCode.ACCESS_REFUSED


def test_what_a_register_cannot_hold_is_not_available() -> None:
    voltage, mode = by_key("battery_voltage", "mppt"), by_key("device_mode", "mppt")
    assert voltage is not None
    assert mode is not None
    assert content(voltage, 400.0) == content(voltage, None) == b"\xff\x7f"
    assert content(mode, None) == ResultCode.NOT_ACCEPTABLE


def test_an_ip22_takes_no_charge_current_below_a_quarter() -> None:
    store = device("ip22").registers
    limit = number("battery_maximum_current", "ip22")
    for written, held in ((30, 75), (75, 75), (300, 300)):
        content = held.to_bytes(2, "little")
        assert store.set(0, limit, written.to_bytes(2, "little")) == content
        assert store.get(0, limit) == content


def test_the_low_current_mode_is_not_remembered_but_a_fed_device_shows_it_too(tmp_path: Path) -> None:
    mode = number("low_current_mode", "ip22")
    path = tmp_path / "ip22.json"
    simulated = device("ip22", Memory(path))
    memory = Memory()
    memory.content.seed = 1
    fed = EmulatedDevice(FAMILIES["ip22"], FedValues(AcCharger), memory, clock=lambda: 0.0)
    for emulated in (simulated, fed):
        assert emulated.registers.get(0, mode) == b"\0"
        assert emulated.registers.set(0, mode, b"\2") == b"\2"
        assert emulated.registers.get(0, mode) == b"\2"
        assert (0, mode, b"\2") in list(emulated.changes({0}))
        assert emulated.registers.set(0, mode, b"\3") == ResultCode.NOT_ACCEPTABLE
    assert json.loads(path.read_text())["values"] == {}
    assert device("ip22", Memory(path)).registers.get(0, mode) == b"\0"


@pytest.mark.parametrize("key", FAMILIES)
def test_the_captured_generation_lacks_registers_and_the_documented_service(key: str) -> None:
    new, old = device(key), device(key, firmware=OLD_FIRMWARE)
    lacking = {(0, number(name, key)) for name in ("serial_number", "custom_name", "ble_mode")}
    assert set(new.registers) - set(old.registers) == lacking
    assert not old.shunt_service
    assert (old.mtu, old.personality.header.chunk_size) == (23, 20)


@pytest.mark.parametrize(
    ("key", "asked", "seconds"),
    [
        ("mppt", None, 10.0), ("smartshunt", None, 10.0), ("bmv712", None, 10.0),
        ("orion", None, None), ("ip22", None, None), ("phoenix", None, None),
        ("mppt", math.inf, None), ("orion", 20.0, 20.0),
    ],
)  # fmt: skip
def test_who_disconnects_for_want_of_a_keep_alive(key: str, asked: float | None, seconds: float | None) -> None:
    personality = device(key, keep_alive=asked).personality
    assert (personality.keep_alive, personality.knows_keep_alive) == (seconds, True)


def test_a_device_of_2021_that_shall_disconnect_knows_the_keep_alive() -> None:
    personality = device("smartshunt", firmware=OLD_FIRMWARE, keep_alive=5.0).personality
    assert (personality.keep_alive, personality.knows_keep_alive) == (5.0, True)


def test_the_totals_count_the_days_behind_today() -> None:
    store = device("mppt").registers
    total = store.get(3, 0x104F)
    assert isinstance(total, bytes)
    assert total[18] == 30
    assert all(isinstance(store.get(3, number), bytes) for number in range(0x1050, 0x106F))
    assert store.get(3, 0x106F) == ResultCode.UNKNOWN_REGISTER


def test_only_changes_are_pushed_and_only_to_subscribed_instances() -> None:
    emulated = device("smartshunt")
    first = list(emulated.changes({3}))
    assert len(first) == len(FAMILIES["smartshunt"].live)
    assert list(emulated.changes({3})) == []
    emulated.connected()
    assert list(emulated.changes({0})) == []
    assert len(list(emulated.changes({0, 3}))) == len(first)


def test_the_nonce_grows_with_the_record_only() -> None:
    values = FedValues(BatteryMonitor)
    memory = Memory()
    memory.content.seed = 1
    emulated = EmulatedDevice(FAMILIES["smartshunt"], values, memory, clock=lambda: 0.0)
    first = emulated.advertisement(0)
    assert emulated.advertisement(1) == first
    values.feed({"battery_voltage": 12.5})
    second = emulated.advertisement(2)
    nonces = [int.from_bytes(payload[5:7], "little") for payload in (first, second)]
    assert (nonces[0] + 1) % 65536 == nonces[1]
    assert decode_advertisement(second, emulated.key).as_dict()["battery_voltage"] == 12.5


# memory


def test_settings_name_and_pin_survive_and_the_file_is_private(tmp_path: Path) -> None:
    path = tmp_path / "state" / "mppt.json"
    emulated = device("mppt", Memory(path))
    key = emulated.key
    assert emulated.registers.set(3, number("device_mode", "mppt"), b"\x04") == b"\x04"
    assert emulated.registers.set(0, number("custom_name", "mppt"), "Süd".encode()) == "Süd".encode()
    assert emulated.registers.set(3, number("float_voltage", "mppt"), (1360).to_bytes(2, "little"))
    emulated.change_pin("004711")
    assert path.stat().st_mode & 0o077 == 0
    assert list(path.parent.iterdir()) == [path]
    again = device("mppt", Memory(path))
    assert (again.name, again.pin, again.key, again.address) == ("Süd", "004711", emulated.key, emulated.address)
    assert again.key[0] == (key[0] + 1) % 256
    assert again.registers.get(3, number("device_mode", "mppt")) == b"\x04"
    assert again.registers.get(3, number("float_voltage", "mppt")) == (1360).to_bytes(2, "little")
    plant = again.plant
    assert isinstance(plant, Charger)
    assert plant.charger_on is False


def test_neither_pin_nor_key_is_printed() -> None:
    emulated = device("mppt")
    emulated.change_pin("004711")
    shown = f"{emulated.memory.content!r} {emulated.memory.content} {emulated.key!r} {emulated.identity!r}"
    assert "004711" not in shown
    assert emulated.key.hex() not in shown


def test_a_synchronised_charge_and_a_blinking_lamp_are_not_settings(tmp_path: Path) -> None:
    path = tmp_path / "shunt.json"
    emulated = device("smartshunt", Memory(path))
    assert emulated.registers.set(3, number("state_of_charge", "smartshunt"), (5000).to_bytes(2, "little"))
    assert emulated.registers.set(0, number("identify", "smartshunt"), b"\x01") == b"\x00"
    assert json.loads(path.read_text())["values"] == {}


def test_a_name_that_does_not_fit_the_scan_response_is_refused() -> None:
    store = device("mppt").registers
    name = number("custom_name", "mppt")
    assert store.set(0, name, b"x" * 30) == ResultCode.NOT_ACCEPTABLE
    assert store.set(0, name, b"  ") == ResultCode.NOT_ACCEPTABLE
    assert store.set(0, name, b"x" * 29) == b"x" * 29


def test_the_documented_service_can_be_switched_off_for_the_next_start(tmp_path: Path) -> None:
    path = tmp_path / "shunt.json"
    emulated = device("smartshunt", Memory(path))
    assert emulated.shunt_service
    assert emulated.registers.set(0, number("vereg_gatt_service_mode", "smartshunt"), b"\x00") == b"\x00"
    assert emulated.shunt_service
    assert not device("smartshunt", Memory(path)).shunt_service
    assert not device("bmv712").shunt_service


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pin": 1234}', '{"pin": "12345"}', '{"seed": "x"}'])
def test_a_file_that_is_no_memory_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "mppt.json"
    path.write_text(text)
    with pytest.raises(ConfigError):
        Memory(path)


def test_a_crash_while_saving_leaves_the_old_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "mppt.json"
    memory = Memory(path)
    memory.content.name = "old"
    memory.save()

    def no_power(self: Path, target: Path) -> None:
        raise OSError(5, "no power")

    monkeypatch.setattr(Path, "replace", no_power)
    memory.content.name = "new"
    with pytest.raises(ConfigError):
        memory.save()
    assert Memory(path).content.name == "old"


@pytest.mark.parametrize("text", ["12345", "1234567", "12345a", "", "１２３４５６", " 12345"])
def test_a_pin_is_six_digits(text: str) -> None:
    with pytest.raises(ConfigError) as refused:
        pin_text(text)
    assert not text or text not in str(refused.value)


# feeds


def test_fed_values_make_the_record_and_its_selector() -> None:
    values = FedValues(BatteryMonitor)
    assert values.record(0).as_dict()["battery_voltage"] is None
    values.feed({"battery_voltage": 12.6, "temperature": 21.5, "battery_current": 1e9, "alarm_reason": ["low_voltage"]})
    record = values.record(0)
    shown = record.as_dict()
    assert shown["temperature"] == pytest.approx(21.5, abs=0.01)
    assert shown["aux_mode"].key == "temperature"
    assert shown["alarm_reason"].keys == ["low_voltage"]
    assert shown["state_of_charge"] is None
    assert encode_record(record)
    assert values.feed({"battery_voltage": {"a": 1}, "state_of_charge": 50}) == ["battery_voltage"]
    assert values.record(0).as_dict()["battery_voltage"] == 12.6
    values.feed({"battery_voltage": None})
    assert values.record(0).as_dict()["battery_voltage"] is None


def test_fed_names_and_nonsense() -> None:
    values = FedValues(AcCharger)
    values.feed({"device_state": "float", "charger_error": "no such error", "battery_voltage_1": "many"})
    shown = values.record(0).as_dict()
    assert shown["device_state"].key == "float"
    assert shown["charger_error"] is None
    assert shown["battery_voltage_1"] is None


def test_values_in_lines_and_messages() -> None:
    assert values_of_line('{"battery_voltage": 12.6}') == {"battery_voltage": 12.6}
    assert values_of_line(b'{"kind": "advertisement", "values": {"pv_power": 5}}') == {"pv_power": 5}
    assert values_of_message("boat/battery/battery_voltage", b"12.6") == {"battery_voltage": 12.6}
    assert values_of_message("boat/battery", b'{"battery_voltage": 12.6}') == {"battery_voltage": 12.6}
    for line in (b"", b"12", b"[1]", b'{"values": 3}', b"\xff", b"{"):
        with pytest.raises(Malformed):
            values_of_line(line)
    with pytest.raises(Malformed):
        values_of_message("boat/battery/battery_voltage", b"12,6")


# VE.Smart networking


def broadcasts(emulated: EmulatedDevice, seconds: int) -> list[bytes]:
    found = [emulated.broadcast(DEFAULT_START + second) for second in range(seconds)]
    return [payload for payload in found if payload is not None]


@pytest.mark.parametrize(
    ("key", "registers"),
    [("smartshunt", {0x2002, 0x200A}), ("mppt", {0x2001, 0x200C, 0x2013, 0xEDBC}), ("phoenix", {0xED8D})],
)
def test_a_member_of_a_network_tells_its_values(key: str, registers: set[int]) -> None:
    receiver = NetworkReceiver([NETWORK])
    heard = [event for payload in broadcasts(device(key, network=NETWORK), 20) for event in receiver.receive(payload)]
    contents = [event.content for event in heard if isinstance(event, ContentHeard)]
    assert {value.register for content in contents for value in content.records} == registers
    assert receiver.counts.authentication_failures == receiver.counts.malformed == 0


def test_no_count_is_used_twice_whenever_the_process_dies(tmp_path: Path) -> None:
    path = tmp_path / "shunt.json"
    used: list[int] = []
    for _ in range(4):
        emulated = device("smartshunt", Memory(path), network=NETWORK)
        used += [parse_broadcast(payload).sequence for payload in broadcasts(emulated, 1500)]
    assert len(used) == len(set(used)) > 4 * 1400
    assert used == sorted(used)
    assert max(used) < 4 * (1500 + 4 * RESTART_SKIP)


def test_outside_a_network_nothing_is_broadcast() -> None:
    assert broadcasts(device("smartshunt"), 5) == []
