"""The receiver: copies, keys, impossible values, jumps, turns."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

import bluewatt
from bluewatt.model.keys import KeyRing, normal_address, parse_key_argument
from bluewatt.model.reading import ADVERTISEMENT, Frame, Reading, Undecoded
from bluewatt.model.receiver import Receiver
from bluewatt.model.trust.key_verdict import KeyState, KeyVerdict
from bluewatt.schema import Record
from bluewatt.tables.enums import AlarmReason, AuxMode, ChargerError, DeviceState, MonitorMode
from bluewatt.tables.records.ac_charger import AcCharger
from bluewatt.tables.records.battery_monitor import BatteryMonitor
from bluewatt.tables.records.dc_energy_meter import DcEnergyMeter
from bluewatt.tables.records.smart_bms import SmartBms
from bluewatt.tables.records.solar_charger import SolarCharger
from bluewatt.tables.records.vendor_test import VendorTest
from bluewatt.wire.instant_readout.cipher import Key

ADDRESS = "C0:00:00:00:00:01"
KEY = Key(bytes(range(0xA0, 0xB0)))
OTHER_KEY = Key(bytes(range(0x10, 0x20)))
SAME_FIRST_BYTE = Key(b"\xa0" + bytes(15))


def solar(**values: Any) -> SolarCharger:
    plain = {"device_state": DeviceState(3), "charger_error": ChargerError(0), "battery_voltage": 13.2}
    plain |= {"battery_current": 4.2, "yield_today": 0.5, "pv_power": 56}
    return SolarCharger(**(plain | values))


def monitor(**values: Any) -> BatteryMonitor:
    plain = {"alarm_reason": AlarmReason(0), "aux_mode": AuxMode(3), "battery_voltage": 12.8, "state_of_charge": 80.0}
    return BatteryMonitor(**(plain | {"battery_current": -3.5, "consumed_charge": -20.0} | values))


def frame(record: Record, nonce: int, *, key: bytes = KEY, at: float | None = None, checked: bool = True) -> Frame:
    data = bluewatt.build_advertisement(record, product_id=0xA053, key=key, nonce=nonce)
    return raw_frame(data, at=nonce if at is None else at, checked=checked)


def unchecked(record: Record, nonce: int, *, at: float | None = None) -> Frame:
    return frame(record, nonce, at=at, checked=False)


def raw_frame(data: bytes, *, at: float = 0.0, checked: bool = True) -> Frame:
    return Frame(at, "test:", ADVERTISEMENT, ADDRESS, data, -60, "Solar", checked)


@pytest.fixture
def receiver() -> Receiver:
    return Receiver(KeyRing({ADDRESS: KEY}))


def values(outcomes: list[Reading | Undecoded], name: str) -> list[Any]:
    return [getattr(outcome.record, name) for outcome in outcomes if isinstance(outcome, Reading)]


def marks(outcomes: list[Reading | Undecoded]) -> list[tuple[str, ...]]:
    return [outcome.doubtful for outcome in outcomes if isinstance(outcome, Reading)]


def reasons(outcomes: list[Reading | Undecoded]) -> list[str]:
    return [outcome.reason for outcome in outcomes if isinstance(outcome, Undecoded)]


def fed(receiver: Receiver, frames: Iterator[Frame] | list[Frame]) -> list[Reading | Undecoded]:
    return [outcome for one in frames for outcome in receiver.feed(one)]


def test_a_record_becomes_a_reading(receiver: Receiver) -> None:
    [reading] = receiver.feed(frame(solar(), 1))
    assert isinstance(reading, Reading)
    assert reading.record == solar()
    assert (reading.device.product_id, reading.device.name) == (0xA053, "Solar")


def test_a_first_nonce_of_zero_is_not_a_copy(receiver: Receiver) -> None:
    assert values(receiver.feed(frame(solar(), 0)), "pv_power") == [56]


def test_copies_are_dropped_and_counted(receiver: Receiver) -> None:
    outcomes = fed(receiver, [frame(solar(), 7, at=7 + copy / 10) for copy in range(5)])
    assert len(outcomes) == 1
    assert receiver.counts["duplicate"] == 4


def test_the_nonce_wraps(receiver: Receiver) -> None:
    frames = [frame(solar(pv_power=50 + n), (65534 + n) & 0xFFFF, at=float(n)) for n in range(4)]
    assert values(fed(receiver, frames), "pv_power") == [50, 51, 52, 53]


def test_the_same_nonce_much_later_is_a_new_record(receiver: Receiver) -> None:
    frames = [frame(solar(), 9, at=0.0), frame(solar(pv_power=60), 9, at=65536.0)]
    assert values(fed(receiver, frames), "pv_power") == [56, 60]


def test_two_alarms_at_once_are_a_reading(receiver: Receiver) -> None:
    [reading] = receiver.feed(frame(monitor(alarm_reason=AlarmReason(0b101)), 1))
    assert isinstance(reading, Reading)
    assert isinstance(reading.record, BatteryMonitor)
    assert reading.record.alarm_reason is not None
    assert reading.record.alarm_reason.keys == ["low_voltage", "low_soc"]


def test_without_a_key_the_reason_is_told() -> None:
    assert reasons(Receiver().feed(frame(solar(), 1))) == ["KeyMissing"]


def test_readout_off_is_told(receiver: Receiver) -> None:
    outcomes = receiver.feed(raw_frame(bytes.fromhex("100053a0")))
    assert reasons(outcomes) == ["NoRecord"]
    assert outcomes[0].device.product_id == 0xA053


def test_an_unknown_record_type_says_nothing_about_the_key(receiver: Receiver) -> None:
    receiver.feed(frame(solar(), 1))
    data = bytearray(frame(solar(), 2).payload)
    data[4] = 0x2A
    assert reasons(receiver.feed(raw_frame(bytes(data), at=2.0))) == ["UnknownType"]
    assert receiver.key_state(ADDRESS) is KeyState.RIGHT


def test_one_flipped_key_check_is_not_a_changed_key(receiver: Receiver) -> None:
    receiver.feed(frame(solar(), 1))
    data = bytearray(frame(solar(), 2).payload)
    data[7] ^= 0x10
    assert reasons(receiver.feed(raw_frame(bytes(data), at=2.0))) == ["Rejected"]
    assert receiver.key_state(ADDRESS) is KeyState.RIGHT
    assert values(receiver.feed(frame(solar(), 2)), "pv_power") == [56]


@pytest.mark.parametrize("new", [OTHER_KEY, SAME_FIRST_BYTE], ids=["another first byte", "the same first byte"])
def test_a_changed_key_is_told_within_ten_advertisements_and_nothing_false_shown(receiver: Receiver, new: Key) -> None:
    fed(receiver, [frame(solar(), nonce) for nonce in range(40)])
    outcomes = fed(receiver, [frame(solar(), nonce, key=new) for nonce in range(40, 50)])
    assert receiver.key_state(ADDRESS) is KeyState.CHANGED
    assert values(outcomes, "pv_power") == []
    assert "KeyMismatch" in reasons(outcomes)


@pytest.mark.parametrize("wrong", [OTHER_KEY, SAME_FIRST_BYTE], ids=["another first byte", "the same first byte"])
def test_a_wrong_key_never_shows_a_value(wrong: Key) -> None:
    receiver = Receiver(KeyRing({ADDRESS: wrong}))
    for nonce in range(300):
        assert values(receiver.feed(frame(AcCharger(), nonce)), "temperature") == []
    assert receiver.key_state(ADDRESS) is KeyState.WRONG


def test_after_a_new_key_is_given_the_values_come_back(receiver: Receiver) -> None:
    fed(receiver, [frame(solar(), nonce) for nonce in range(5)])
    fed(receiver, [frame(solar(), nonce, key=OTHER_KEY) for nonce in range(5, 15)])
    receiver.keys.add(ADDRESS, OTHER_KEY)
    assert (
        len(values(fed(receiver, [frame(solar(), nonce, key=OTHER_KEY) for nonce in range(15, 20)]), "pv_power")) == 5
    )


def test_a_new_key_opens_the_sample_at_hand_not_only_the_next(receiver: Receiver) -> None:
    fed(receiver, [frame(solar(), nonce) for nonce in range(5)])
    fed(receiver, [frame(solar(), nonce, key=OTHER_KEY) for nonce in range(5, 15)])
    receiver.keys.add(ADDRESS, OTHER_KEY)
    outcomes = fed(receiver, [frame(solar(), 14, key=OTHER_KEY, at=14 + copy / 4) for copy in range(1, 4)])
    assert values(outcomes, "pv_power") == [56]
    without = Receiver()
    copies = [frame(solar(), 3, at=3 + copy / 4) for copy in range(5)]
    assert reasons(fed(without, copies[:2])) == ["KeyMissing"]
    without.keys.add(ADDRESS, KEY)
    assert values(fed(without, copies[2:]), "pv_power") == [56]


def test_a_weak_record_waits_for_a_second_one_and_is_then_let_through() -> None:
    receiver = Receiver(KeyRing({ADDRESS: KEY}))
    charger = AcCharger(device_state=DeviceState(3), charger_error=ChargerError(0), battery_voltage_1=13.4)
    assert receiver.feed(frame(charger, 1)) == []
    assert receiver.key_state(ADDRESS) is KeyState.UNPROVEN
    outcomes = receiver.feed(frame(charger, 2))
    assert [outcome.at for outcome in outcomes] == [1.0, 2.0]


def test_a_key_without_an_address_finds_its_device() -> None:
    receiver = Receiver(KeyRing(loose=[OTHER_KEY, SAME_FIRST_BYTE, KEY]))
    outcomes = fed(receiver, [frame(solar(), nonce) for nonce in range(3)])
    assert values(outcomes, "pv_power") == [56, 56, 56]
    assert receiver.key_state(ADDRESS) is KeyState.RIGHT


def test_an_impossible_value_is_taken_out_and_kept_for_a_look(receiver: Receiver) -> None:
    broken = monitor(aux_mode=AuxMode(1), midpoint_voltage=655.34)
    [_, reading] = fed(receiver, [frame(broken, 1), frame(broken, 2)])
    assert isinstance(reading, Reading)
    assert reading.record.as_dict()["midpoint_voltage"] is None
    assert reading.record.as_dict()["battery_voltage"] == 12.8
    assert reading.rejected == {"midpoint_voltage": 655.34}
    assert receiver.counts["rejected values"] == 2


def test_a_single_jump_of_an_unchecked_source_is_rejected_and_inspectable(receiver: Receiver) -> None:
    frames = [unchecked(solar(battery_voltage=volts), n) for n, volts in enumerate([13.2, 13.2, 54.1, 13.3, 13.3])]
    outcomes = fed(receiver, frames)
    assert values(outcomes, "battery_voltage") == [13.2, 13.2, 13.3, 13.3]
    assert [rejected.detail for rejected in receiver.rejected] == ["battery_voltage jumped from 13.2 to 54.1 V"]


def test_a_jump_of_an_unchecked_source_that_is_confirmed_keeps_its_own_time(receiver: Receiver) -> None:
    frames = [unchecked(solar(battery_current=amperes), n) for n, amperes in enumerate([4.0, 200.0, 201.0, 202.0])]
    outcomes = fed(receiver, frames)
    assert [(outcome.at, *values([outcome], "battery_current")) for outcome in outcomes] == [
        (0.0, 4.0), (1.0, 200.0), (2.0, 201.0), (3.0, 202.0),
    ]  # fmt: skip
    assert receiver.counts["waiting"] == 1


@pytest.mark.parametrize(("seconds", "held"), [(1.0, 1), (2.0, 0)])
def test_the_limit_grows_with_the_time_between_samples(receiver: Receiver, seconds: float, held: int) -> None:
    fed(receiver, [unchecked(solar(), n) for n in range(3)])
    far = unchecked(solar(battery_current=4.2 + 250), 3, at=2 + seconds)
    assert len(receiver.feed(far)) == 1 - held
    assert receiver.counts["waiting"] == held


def test_a_jump_of_a_checked_frame_is_published_at_once_and_marked(receiver: Receiver) -> None:
    amperes = [-5.0, -5.0, -650.0, -5.0, -200.0, -201.0]
    outcomes = [receiver.feed(frame(monitor(battery_current=value), n)) for n, value in enumerate(amperes)]
    assert [len(of_one) for of_one in outcomes] == [1] * len(amperes)
    heard = [outcome for of_one in outcomes for outcome in of_one]
    assert values(heard, "battery_current") == amperes
    # The return from the spike is no surprise, nor is what stays.
    assert marks(heard) == [(), (), ("battery_current",), (), ("battery_current",), ()]
    assert not receiver.rejected


def test_a_load_that_alternates_every_second_loses_nothing(receiver: Receiver) -> None:
    amperes = [-180.0 if n % 2 else -2.0 for n in range(60)]
    outcomes = fed(receiver, [frame(monitor(battery_current=value), n) for n, value in enumerate(amperes)])
    assert values(outcomes, "battery_current") == amperes
    assert marks(outcomes) == [("battery_current",) if n % 2 else () for n in range(60)]


def test_a_current_that_changes_as_currents_do_has_no_mark(receiver: Receiver) -> None:
    outcomes = fed(receiver, [frame(monitor(battery_current=-2.0 - 70 * (n % 2)), n) for n in range(10)])
    assert marks(outcomes) == [()] * 10
    held = Receiver(KeyRing({ADDRESS: KEY}))
    fed(held, [unchecked(monitor(battery_current=-2.0 - 70 * (n % 2)), n) for n in range(10)])
    assert not held.counts["waiting"]


def test_the_state_of_an_unchecked_source_that_nobody_has_named_waits_and_comes_with_its_own_time(
    receiver: Receiver,
) -> None:
    frames = [unchecked(solar(device_state=DeviceState(state)), n) for n, state in enumerate([3, 99, 3, 98, 98])]
    outcomes = fed(receiver, frames)
    assert [outcome.at for outcome in outcomes if isinstance(outcome, Reading)] == [0.0, 2.0, 3.0, 4.0]
    assert values(outcomes, "device_state") == [3, 3, 98, 98]
    assert [rejected.detail for rejected in receiver.rejected] == ["device_state has the unnamed value 99"]
    assert receiver.counts["waiting"] == 2


def test_a_state_that_nobody_has_named_is_published_at_once_and_marked_while_it_is_new(receiver: Receiver) -> None:
    states = [3, 99, 99, 3, 98]
    outcomes = [receiver.feed(frame(solar(device_state=DeviceState(state)), n)) for n, state in enumerate(states)]
    heard = [outcome for of_one in outcomes for outcome in of_one]
    assert [len(of_one) for of_one in outcomes] == [1] * 5
    assert values(heard, "device_state") == states
    assert marks(heard) == [(), ("device_state",), (), (), ("device_state",)]


def test_an_unchecked_turn_to_another_record_type_is_believed_the_second_time(receiver: Receiver) -> None:
    frames = [unchecked(record, n) for n, record in enumerate([monitor(), meter(), monitor(), meter(), meter()])]
    kinds = [type(outcome.record) for outcome in fed(receiver, frames) if isinstance(outcome, Reading)]
    assert kinds == [BatteryMonitor, BatteryMonitor, DcEnergyMeter, DcEnergyMeter]


def test_a_checked_turn_to_another_record_type_is_believed_at_once(receiver: Receiver) -> None:
    frames = [frame(record, n) for n, record in enumerate([monitor(), meter(), monitor()])]
    kinds = [type(outcome.record) for outcome in fed(receiver, frames) if isinstance(outcome, Reading)]
    assert kinds == [BatteryMonitor, DcEnergyMeter, BatteryMonitor]


def meter() -> DcEnergyMeter:
    return DcEnergyMeter(
        monitor_mode=MonitorMode(0), alarm_reason=AlarmReason(0), aux_mode=AuxMode(3), battery_voltage=12.8,
        battery_current=1.0,
    )  # fmt: skip


def test_garbage_never_raises(receiver: Receiver) -> None:
    for length in range(40):
        for first in (0x00, 0x01, 0x02, 0x10, 0xE1, 0xFF):
            receiver.feed(raw_frame(bytes([first]) * length, at=float(length)))
    assert not receiver.counts["reading"]


@pytest.mark.parametrize("text", ["c0:00:00:00:00:01", "C0-00-00-00-00-01", "c00000000001", " C0:00:00:00:00:01 "])
def test_addresses_as_people_write_them(text: str) -> None:
    assert normal_address(text) == ADDRESS


def test_key_arguments() -> None:
    assert parse_key_argument(f"{ADDRESS}={KEY.hex()}") == (ADDRESS, KEY)
    assert parse_key_argument(f"{ADDRESS}@{KEY.hex()}") == (ADDRESS, KEY)
    assert parse_key_argument(KEY.hex()) == (None, KEY)


def test_at_the_end_what_is_likely_is_let_through_and_the_rest_is_told() -> None:
    charger = AcCharger(device_state=DeviceState(3), charger_error=ChargerError(0), battery_voltage_1=13.4)
    receiver = Receiver(KeyRing({ADDRESS: KEY}))
    assert receiver.feed(frame(charger, 1)) == []
    assert values(receiver.flush(), "battery_voltage_1") == [13.4]
    assert receiver.flush() == []
    weak = Receiver(KeyRing({ADDRESS: KEY}))
    assert weak.feed(frame(VendorTest(uptime=5), 1)) == []
    assert reasons(weak.flush()) == ["KeyUnproven"]


def test_a_value_that_appears_is_no_surprise_in_a_checked_frame(receiver: Receiver) -> None:
    outcomes = fed(receiver, [frame(solar(load_current=load), n) for n, load in enumerate([None, 20.0, None, 2.0])])
    assert values(outcomes, "load_current") == [None, 20.0, None, 2.0]
    assert marks(outcomes) == [()] * 4


def test_an_unchecked_value_that_appears_waits_for_the_next(receiver: Receiver) -> None:
    frames = [unchecked(solar(load_current=load), n) for n, load in enumerate([None, 20.0, None, 2.0, 2.1])]
    assert values(fed(receiver, frames), "load_current") == [None, None, 2.0, 2.1]


def test_two_equal_copies_overrule_an_unchecked_first(receiver: Receiver) -> None:
    fed(receiver, [frame(solar(), nonce) for nonce in range(3)])
    true = frame(solar(battery_voltage=13.21), 3)
    garbled = bytearray(true.payload)
    garbled[8 + 2] ^= 1
    copies = [raw_frame(true.payload, at=3 + n / 10, checked=False) for n in (1, 2, 3)]
    outcomes = fed(receiver, [raw_frame(bytes(garbled), at=3.0, checked=False), *copies])
    assert values(outcomes, "battery_voltage") == [13.2, 13.21]


def test_a_checked_copy_vouches_for_an_unchecked_sample_that_is_held(receiver: Receiver) -> None:
    fed(receiver, [frame(monitor(), nonce) for nonce in range(3)])
    spike = monitor(battery_current=-650.0)
    assert receiver.feed(unchecked(spike, 3, at=3.0)) == []
    outcomes = fed(receiver, [frame(spike, 3, at=3.2), frame(monitor(), 4)])
    assert values(outcomes, "battery_current") == [-650.0, -3.5]
    assert marks(outcomes) == [("battery_current",), ()]


def test_a_device_that_restarts_may_use_its_nonces_again_at_once(receiver: Receiver) -> None:
    fed(receiver, [frame(solar(), nonce) for nonce in range(5)])
    again = [frame(solar(pv_power=57), nonce, at=10 + nonce) for nonce in (0, 1, 1, 0)]
    assert [outcome.at for outcome in fed(receiver, again)] == [10.0, 11.0]


def test_an_unchecked_record_cut_short_is_not_believed(receiver: Receiver) -> None:
    fed(receiver, [frame(solar(), nonce) for nonce in range(3)])
    cut = raw_frame(frame(solar(), 3).payload[:-4], at=3.0, checked=False)
    copies = [unchecked(solar(), 3, at=3.1), unchecked(solar(), 3, at=3.2)]
    outcomes = fed(receiver, [cut, *copies, frame(solar(), 4)])
    assert values(outcomes, "pv_power") == [56, 56]
    assert "Rejected" in reasons(outcomes)


def test_a_short_record_of_a_checked_frame_is_shown_as_far_as_it_goes(receiver: Receiver) -> None:
    fed(receiver, [frame(solar(), nonce) for nonce in range(3)])
    outcomes = receiver.feed(raw_frame(frame(solar(), 3).payload[:-4], at=3.0))
    assert (values(outcomes, "battery_voltage"), values(outcomes, "pv_power")) == ([13.2], [None])


def test_a_record_cut_to_one_byte_proves_no_key() -> None:
    receiver = Receiver(KeyRing({ADDRESS: SAME_FIRST_BYTE}))
    outcomes = fed(receiver, [raw_frame(frame(solar(), n).payload[:9], at=float(n)) for n in range(60)])
    assert values(outcomes, "device_state") == []


def test_a_nonce_that_leaps_back_is_believed_when_it_goes_on_from_there(receiver: Receiver) -> None:
    outcomes = fed(receiver, [frame(solar(), nonce, at=float(n)) for n, nonce in enumerate([900, 901, 3, 4, 5])])
    assert [outcome.at for outcome in outcomes if isinstance(outcome, Reading)] == [0.0, 1.0, 2.0, 3.0, 4.0]


def smart_bms(nonce: int, *, key: bytes = KEY) -> Frame:
    """The bytes of the one public record (protocol page instant-readout, section 4, 0x0E), one byte moving."""
    plain = bytes.fromhex("000000e804e704bf0400182511") + bytes([nonce % 4])
    return frame(SmartBms(plain), nonce, key=key)


def test_a_record_of_unknown_layout_is_shown_when_it_is_like_the_one_before(receiver: Receiver) -> None:
    outcomes = fed(receiver, [smart_bms(nonce) for nonce in range(4)])
    assert [raw[-1] for raw in values(outcomes, "raw")] == [0, 1, 2, 3]


def test_a_record_of_unknown_layout_is_not_shown_with_a_wrong_key(receiver: Receiver) -> None:
    outcomes = fed(receiver, [smart_bms(nonce, key=SAME_FIRST_BYTE) for nonce in range(20)])
    assert values(outcomes, "raw") == []
    assert receiver.key_state(ADDRESS) is KeyState.WRONG


def test_the_same_bytes_over_and_over_prove_no_key_that_they_speak_little_for() -> None:
    receiver = Receiver(KeyRing({ADDRESS: KEY}))
    odd = frame(AcCharger(device_state=DeviceState(0), charger_error=ChargerError(99)), 7)
    frames = [msgspec.structs.replace(odd, at=100.0 * count) for count in range(10)]
    assert values(fed(receiver, frames), "device_state") == []
    assert receiver.key_state(ADDRESS) is KeyState.UNPROVEN
    verdict = KeyVerdict()
    verdict.content(2.0)
    assert {verdict.again() for _ in range(100)} == {KeyState.UNPROVEN}


def test_the_same_bytes_for_a_minute_are_believed_where_the_key_is_likely(receiver: Receiver) -> None:
    charger = AcCharger(device_state=DeviceState(0), charger_error=ChargerError(0))
    outcomes = fed(receiver, [frame(charger, 7, at=seconds) for seconds in (0.0, 30.0, 61.0)])
    assert [outcome.at for outcome in outcomes] == [0.0, 61.0]


def test_several_fields_that_fail_together_wait_and_are_lost_if_the_next_sample_is_like_those_before(
    receiver: Receiver,
) -> None:
    fed(receiver, [frame(solar(), nonce) for nonce in range(3)])
    noise = raw_frame(frame(solar(), 3, key=SAME_FIRST_BYTE).payload, at=3.0)
    assert receiver.feed(noise) == []
    outcomes = fed(receiver, [frame(solar(), 4), frame(solar(), 5)])
    assert reasons(outcomes) == ["Rejected"]
    assert values(outcomes, "pv_power") == [56, 56]
    assert receiver.key_state(ADDRESS) is KeyState.RIGHT


def test_several_fields_that_fail_together_are_published_once_the_next_sample_is_like_it(receiver: Receiver) -> None:
    fed(receiver, [frame(solar(), nonce) for nonce in range(3)])
    odd = {"device_state": DeviceState(201), "charger_error": ChargerError(99), "battery_voltage": 300.0}
    odd |= {"battery_current": -3000.0, "pv_power": 60_000, "yield_today": 600.0, "load_current": 30.0}
    held = receiver.feed(frame(solar(**odd), 3))
    outcomes = fed(receiver, [frame(solar(**odd), nonce) for nonce in (4, 5)])
    assert held == []
    assert [outcome.at for outcome in outcomes] == [3.0, 4.0, 5.0]
    assert values(outcomes, "device_state") == [201] * 3


def test_four_damaged_samples_in_a_row_refute_no_key(receiver: Receiver) -> None:
    fed(receiver, [frame(monitor(), nonce) for nonce in range(40)])
    for nonce in range(40, 44):
        noise = frame(monitor(), nonce, key=SAME_FIRST_BYTE).payload
        assert values(receiver.feed(raw_frame(noise, at=float(nonce), checked=False)), "battery_voltage") == []
    assert receiver.key_state(ADDRESS) is KeyState.RIGHT
    assert values(receiver.feed(frame(monitor(), 44)), "battery_voltage") == [12.8]


def test_a_key_that_changed_is_told_even_if_its_first_byte_is_the_same(receiver: Receiver) -> None:
    for number in range(30):
        receiver = Receiver(KeyRing({ADDRESS: KEY}))
        fed(receiver, [frame(monitor(), nonce) for nonce in range(60)])
        new = Key(b"\xa0" + bytes([number]) * 15)
        outcomes = fed(receiver, [frame(monitor(), nonce, key=new) for nonce in range(60, 72)])
        assert receiver.key_state(ADDRESS) is KeyState.CHANGED, number
        assert values(outcomes, "battery_voltage") == [], number
