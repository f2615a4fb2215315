"""The simulated site as a whole: repeatable, complete, and heard as real devices are."""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import pairwise

import pytest

from bluewatt.errors import KeyMismatch
from bluewatt.model.reading import ADVERTISEMENT, Frame
from bluewatt.services.device_identity import NONCES
from bluewatt.services.simulator import COMPLETE, DEFAULT_START, TYPICAL, Site, frames
from bluewatt.services.simulator.values import code, fit, flag_mask
from bluewatt.tables.advertisement import PRODUCT_ADVERTISEMENT, ProductOnly
from bluewatt.tables.enums import DeviceState, MonitorMode, OffReason
from bluewatt.tables.metrics import metric
from bluewatt.tables.records import record_classes
from bluewatt.tables.records.battery_monitor import BatteryMonitor
from bluewatt.tables.records.orion_xs import OrionXs
from bluewatt.tables.records.smart_bms import SmartBms
from bluewatt.tables.records.solar_charger import SolarCharger
from bluewatt.tables.records.solarsense import Solarsense
from bluewatt.tables.registers import by_key, by_name
from bluewatt.wire.instant_readout.advertisement import decode_advertisement, parse_advertisement
from bluewatt.wire.instant_readout.records import decode_record, encode_record
from bluewatt.wire.registers.values import decode_value
from bluewatt.wire.vesmart.broadcast import is_vesmart, parse_broadcast, parse_content, serial_number, unseal
from bluewatt.wire.vesmart.network import ContentHeard, NetworkReceiver

MINUTE = 60.0


@pytest.fixture(scope="module")
def heard() -> list[Frame]:
    """A minute of the whole roster."""
    return list(frames(Site(3, devices=COMPLETE), DEFAULT_START, MINUTE))


def test_the_same_seed_sends_the_same_bytes(heard: list[Frame]) -> None:
    assert list(frames(Site(3, devices=COMPLETE), DEFAULT_START, MINUTE)) == heard
    assert list(frames(Site(4, devices=COMPLETE), DEFAULT_START, 1)) != [f for f in heard if f.at < DEFAULT_START + 1]


def test_frames_come_in_the_order_of_time_and_say_who_sent_them(heard: list[Frame]) -> None:
    site = Site(3, devices=COMPLETE)
    assert all(one.at <= two.at for one, two in pairwise(heard))
    assert all(DEFAULT_START <= frame.at < DEFAULT_START + MINUTE for frame in heard)
    assert {frame.medium for frame in heard} == {ADVERTISEMENT}
    assert {(frame.address, frame.name) for frame in heard} == {(d.address, d.name) for d in site.devices}
    assert all(-100 < (frame.rssi or 0) < -40 for frame in heard)


def test_the_complete_roster_sends_every_described_record(heard: list[Frame]) -> None:
    types = {parse_advertisement(frame.payload).record_type for frame in heard}
    assert types == {cls.record_type for cls in record_classes()} | {None}


def test_every_frame_decodes_to_the_record_its_device_meant() -> None:
    site = Site(5, devices=COMPLETE)
    devices = {device.address: device for device in site.devices}
    count = 0
    for frame in frames(site, DEFAULT_START, 30):
        device = devices[frame.address]
        meant = device.record(frame.at) if device.instant_readout else ProductOnly()
        assert decode_advertisement(frame.payload, device.key) == meant
        assert parse_advertisement(frame.payload).product_id == device.product_id
        count += 1
    assert count > 20 * 30


def test_records_encode_and_hold_only_possible_values_around_the_clock() -> None:
    site = Site(6, devices=COMPLETE, tick=20)
    for step in range(96):
        for device in site.devices:
            record = device.record(DEFAULT_START + step * 900)
            if record.record_type is None:
                continue
            assert decode_record(record.record_type, encode_record(record)) == record
            for key, value in record.as_dict().items():
                _assert_possible(key, value)


def _assert_possible(key: str, value: object) -> None:
    known = metric(key)
    for number in value if isinstance(value, list) else [value]:
        if known and isinstance(number, int | float):
            assert known.low is None or number >= known.low, key
            assert known.high is None or number <= known.high, key


def test_nonces_count_up_by_one_for_each_new_record(heard: list[Frame]) -> None:
    sent: dict[str, list[tuple[int, bytes]]] = defaultdict(list)
    for frame in heard:
        advertisement = parse_advertisement(frame.payload)
        if advertisement.has_record:
            sent[frame.address].append((advertisement.nonce, advertisement.body))
    for pairs in sent.values():
        for (nonce, body), (next_nonce, next_body) in pairwise(pairs):
            assert next_nonce in (nonce, (nonce + 1) % NONCES)
            assert (next_nonce == nonce) == (next_body == body)


def test_a_monitor_makes_about_one_record_a_second_and_repeats_it(heard: list[Frame]) -> None:
    shunt = next(frame.address for frame in heard if (frame.name or "").startswith("SmartShunt"))
    repeats = Counter(parse_advertisement(frame.payload).nonce for frame in heard if frame.address == shunt)
    assert 55 <= len(repeats) <= 61
    assert 2 <= sum(repeats.values()) / len(repeats) <= 5


def test_a_nonce_wraps_around() -> None:
    site = Site(7)
    device = site.device("SmartShunt")
    device.sealer.nonce = NONCES - 2
    nonces = [parse_advertisement(device.advertisement(DEFAULT_START + second)).nonce for second in range(4)]
    assert nonces == [NONCES - 1, 0, 1, 2]


def test_next_change_tells_when_to_look_again() -> None:
    device = Site(7).device("SmartShunt")
    at = DEFAULT_START
    for _ in range(20):
        before, after = device.advertisement(at), device.next_change(at)
        assert at < after <= at + device.period
        assert device.advertisement(after - 0.001) == before
        assert device.advertisement(after + 0.001) != before
        at = after + 0.001


def test_addresses_are_random_static_and_all_different() -> None:
    site = Site(8, devices=60)
    addresses = [device.address for device in site.devices]
    assert len(set(addresses)) == 60 == len(addresses)
    assert all(int(address[:2], 16) >> 6 == 0b11 for address in addresses)
    assert len({bytes(device.key) for device in site.devices}) == 60
    assert len({device.serial for device in site.devices}) == 60
    assert all(device.product for device in site.devices)


def test_more_devices_are_varied_copies_with_names_of_their_own() -> None:
    site = Site(8, devices=2 * COMPLETE)
    first, second = site.devices[:COMPLETE], site.devices[COMPLETE:]
    assert [device.product_id for device in first] == [device.product_id for device in second]
    assert len({device.name for device in site.devices}) == 2 * COMPLETE
    assert first[0].record(site.now) != second[0].record(site.now)


def test_a_typical_site_has_a_dozen_devices() -> None:
    assert len(Site(1).devices) == TYPICAL == 12
    assert len(Site(1, devices=1).devices) == 1
    assert list(frames(Site(1, devices=0), DEFAULT_START, 10)) == []


def test_a_change_of_key_shows_in_its_first_byte() -> None:
    device = Site(9).device("SmartShunt")
    old = device.key
    device.change_key()
    data = device.advertisement(DEFAULT_START)
    assert device.key[0] == (old[0] + 1) % 256
    assert decode_advertisement(data, device.key) == device.record(DEFAULT_START)
    with pytest.raises(KeyMismatch):
        decode_advertisement(data, old)


def test_instant_readout_switched_off_leaves_four_bytes() -> None:
    device = Site(9).device("SmartSolar roof")
    device.instant_readout = False
    data = device.advertisement(DEFAULT_START)
    assert data[0] == PRODUCT_ADVERTISEMENT
    assert len(data) == 4
    assert parse_advertisement(data).product_id == device.product_id


def test_the_unknown_bms_sends_fourteen_bytes_that_change() -> None:
    device = Site(9, devices=COMPLETE).device("Smart BMS")
    records = [device.record(DEFAULT_START + second) for second in range(10)]
    assert all(isinstance(record, SmartBms) and len(record.raw or b"") == 14 for record in records)
    assert len(set(records)) > 1


def test_broadcasts_of_the_vesmart_network_open_with_its_key() -> None:
    site = Site(10)
    shunt = site.device("SmartShunt")
    assert shunt.member is not None
    kinds: Counter[int] = Counter()
    shared: set[int] = set()
    for frame in frames(site, DEFAULT_START, 70, broadcasts=True):
        if frame.address != shunt.address or frame.payload[0] == PRODUCT_ADVERTISEMENT:
            continue
        broadcast = parse_broadcast(frame.payload)
        kinds[broadcast.record_type] += 1
        assert broadcast.serial == serial_number(shunt.serial)
        if broadcast.overflow is None:
            (value,) = parse_content(unseal(broadcast, shunt.member.network, 0)).records
            shared.add(value.register)
            register = by_key("link_battery_voltage_sense", "smartshunt")
            assert register is not None
            if value.register == register.id:
                assert decode_value(register, value.raw) == pytest.approx(13.2, abs=1.2)
    assert shared == {0x2002, 0x200A}
    assert kinds[2] > 30
    assert kinds[1] >= 1


def test_a_receiver_of_the_network_opens_what_every_member_of_a_site_broadcasts() -> None:
    site = Site(10)
    members = {serial_number(device.serial): device for device in site.devices if device.member}
    (network,) = {device.member.network for device in members.values() if device.member}
    receiver = NetworkReceiver([network])
    addresses = {device.address for device in members.values()}
    told: set[int] = set()
    for frame in frames(site, DEFAULT_START, 70, broadcasts=True):
        if frame.address in addresses and is_vesmart(frame.payload):
            told |= {event.serial for event in receiver.receive(frame.payload) if isinstance(event, ContentHeard)}
    assert told == set(members)
    assert len(members) == 2
    assert receiver.counts.duplicates == receiver.counts.authentication_failures == receiver.counts.malformed == 0


def test_devices_without_a_network_broadcast_nothing() -> None:
    site = Site(10)
    assert site.device("Phoenix").broadcast(DEFAULT_START) is None


def test_values_are_rounded_and_held_within_their_rows() -> None:
    record = fit(
        SolarCharger, device_state=code(DeviceState, "bulk"), charger_error=0, battery_voltage=1e9,
        battery_current=-1e9, yield_today=1.234, pv_power=-5, load_current=99,
    )  # fmt: skip
    assert (record.battery_voltage, record.battery_current) == (327.66, -3276.8)
    assert (record.yield_today, record.pv_power, record.load_current) == (1.23, 0, 51.0)
    assert decode_record(0x01, encode_record(record)) == record
    assert fit(OrionXs, output_voltage=1e9).output_voltage == 655.34
    assert fit(Solarsense, time_since_last_sun=95).time_since_last_sun in (90, 100)
    assert fit(Solarsense, time_since_last_sun=1e9).time_since_last_sun == 720 + 30 * 30


def test_names_of_enumerations_give_their_numbers() -> None:
    assert code(MonitorMode, "solar_charger") == -9
    assert flag_mask(OffReason, "no_input_power", "bms") == 1 | 1 << 6
    with pytest.raises(KeyError):
        code(DeviceState, "dancing")


def test_the_registers_of_a_device_stand_beside_its_record() -> None:
    site = Site(11)
    values = site.device("SmartSolar roof").values(site.now)
    assert {"pv_power", "pv_voltage", "yield_yesterday", "absorption_voltage", "device_mode"} <= set(values)
    values = site.device("SmartShunt").values(site.now)
    assert {"state_of_charge", "deepest_discharge", "charged_energy", "battery_capacity"} <= set(values)
    for device in site.devices:
        family = device.product.family if device.product else None
        assert all(by_name(key, family) for key in (*device.readings, *device.settings)), device.name


def test_unknown_names_are_told() -> None:
    with pytest.raises(KeyError):
        Site(1, devices=1).device("Quattro")


def test_a_value_that_reads_as_absent_is_sent_as_its_neighbour() -> None:
    assert fit(OrionXs, output_voltage=327.67).output_voltage == 327.68
    assert fit(BatteryMonitor, battery_current=-0.001, aux_mode=3).battery_current == -0.001
