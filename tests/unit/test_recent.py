"""A forger may send any number of addresses: memory stays bounded, and no device with a key is forgotten for them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import bluewatt
from bluewatt.model.identity import Device
from bluewatt.model.keys import KeyRing
from bluewatt.model.reading import ADVERTISEMENT, Frame, Reading
from bluewatt.model.receiver import Receiver
from bluewatt.model.recent import MOST_DEVICES, Recent
from bluewatt.model.register_values import RegisterReading
from bluewatt.model.roster import Roster
from bluewatt.model.trust.key_verdict import KeyState
from bluewatt.model.vesmart import VESMART_MEDIUM
from bluewatt.tables.enums import ChargerError, DeviceState
from bluewatt.tables.records.solar_charger import SolarCharger
from bluewatt.wire.instant_readout.cipher import Key

FORGED = 200_000
MINE, KEYLESS = "C0:00:00:00:00:01", "C0:00:00:00:00:02"
KEY = Key(bytes(range(0xA0, 0xB0)))


def record(nonce: int, address: str = MINE, name: str | None = "Mine") -> Frame:
    told = SolarCharger(device_state=DeviceState(3), charger_error=ChargerError(0), battery_voltage=13.2, pv_power=56)
    data = bluewatt.build_advertisement(told, product_id=0xA053, key=KEY, nonce=nonce)
    return Frame(float(nonce), "test:", ADVERTISEMENT, address, data, -60, name)


def forged() -> Iterator[Frame]:
    payload = bytes.fromhex("100257a0")
    for number in range(FORGED):
        digits = f"{number:012X}"
        address = ":".join(digits[start : start + 2] for start in range(0, 12, 2))
        yield Frame(100.0, "test:", ADVERTISEMENT, address, payload, -60)


def loose() -> KeyRing:
    return KeyRing(loose=[KEY])


@pytest.mark.parametrize("ring", [KeyRing({MINE: KEY}), loose()], ids=["filed", "loose"])
def test_the_receiver_forgets_forged_addresses_and_no_device_with_a_key(ring: KeyRing) -> None:
    receiver = Receiver(ring)
    for nonce in range(1, 20):
        receiver.feed(record(nonce))
    assert receiver.key_state(MINE) is KeyState.RIGHT
    for frame in forged():
        receiver.feed(frame)
        assert len(receiver._devices) <= MOST_DEVICES
    assert receiver.key_state(MINE) is KeyState.RIGHT
    (reading,) = receiver.feed(record(20, name=None))
    assert isinstance(reading, Reading)
    assert reading.device.name == "Mine", "its name was kept as well"


def test_a_key_replayed_from_many_addresses_protects_the_one_that_proved_it() -> None:
    receiver = Receiver(loose())
    frames = [record(nonce) for nonce in range(1, 20)]
    for frame in frames:
        receiver.feed(frame)
    for number in range(MOST_DEVICES // 8):
        for frame in frames[:3]:
            receiver.feed(Frame(frame.at, "test:", ADVERTISEMENT, f"D0:00:00:00:{number:04X}", frame.payload, -60))
    assert receiver.keys.knows(MINE)
    assert not any(receiver.keys.knows(address) for address in receiver._devices if address != MINE)


def test_the_roster_forgets_the_least_recently_heard_and_nobody_with_a_key() -> None:
    roster = Roster(has_key=lambda address: address == MINE)
    roster.heard(record(1))
    roster.heard(record(1, KEYLESS))
    for number, frame in enumerate(forged()):
        roster.heard(frame)
        if number % 1000 == 0 and number < FORGED // 2:
            roster.heard(record(1, KEYLESS))
        assert len(roster.entries) <= MOST_DEVICES
        if number == FORGED // 2:
            assert KEYLESS in roster.entries, "it is still heard"
    assert MINE in roster.entries
    assert KEYLESS not in roster.entries, "without a key, and silent for longer than all others"
    assert list(roster.entries)[-1] == frame.address


def test_the_roster_keeps_the_members_of_our_networks() -> None:
    roster = Roster()
    roster.heard(record(1))
    roster.update_network(RegisterReading(Device("HQ2104MAEI4", MINE, None), 1.0, "test:", VESMART_MEDIUM, ()))
    for frame in forged():
        roster.heard(frame)
    assert MINE in roster.entries
    assert len(roster.entries) <= MOST_DEVICES


def test_devices_with_keys_may_be_more_than_the_limit() -> None:
    recent: Recent[int] = Recent(3, has_key=lambda address: address.startswith("mine"))
    for number in range(500):
        recent.remember(f"mine {number}", number)
        recent.remember(f"other {number}", number)
    assert sum(address.startswith("mine") for address in recent) == 500
    assert len(recent) < 500 + 64, "the others still make room"
