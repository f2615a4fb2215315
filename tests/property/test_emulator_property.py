"""Whatever a client writes, an emulated device answers or refuses; it never breaks, and it remembers no nonsense."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bluewatt.services.emulator import FAMILIES
from bluewatt.services.simulator import DEFAULT_START, Site
from bluewatt.tables.gatt import DATA_SERVICE, DataCharacteristic
from bluewatt.transports.peripheral.connection import PeripheralConnection
from bluewatt.wire.instant_readout.advertisement import decode_advertisement
from tests import central
from tests.making.devices import SITE_SIZE, emulated_device

SITE = Site(3, devices=SITE_SIZE, start=DEFAULT_START)


DEVICES = {key: emulated_device(key, site=SITE) for key in FAMILIES}
REGISTERS = [(key, place, number) for key, one in DEVICES.items() for place, number in one.registers]


@settings(max_examples=600, deadline=None)
@given(where=st.sampled_from(REGISTERS), value=st.binary(max_size=40))
def test_any_register_takes_any_bytes_or_refuses_them(where: tuple[str, int, int], value: bytes) -> None:
    key, instance, number = where
    one = DEVICES[key]
    before = one.registers.get(instance, number)
    answer = one.registers.set(instance, number, value)
    assert answer in (1, 2, 3) or isinstance(answer, bytes)
    after = one.registers.get(instance, number)
    if isinstance(answer, int) and number != 0x0120:
        assert after == before
    assert type(after) is type(before)
    assert decode_advertisement(one.advertisement(SITE.now), one.key) is not None
    assert len(one.name.encode()) <= 29
    assert len(one.pin) == 6


@settings(max_examples=300, deadline=None)
@given(
    key=st.sampled_from(sorted(FAMILIES)),
    chunks=st.lists(st.tuples(st.sampled_from(list(DataCharacteristic)), st.binary(max_size=244)), max_size=8),
)
def test_any_chunks_are_answered_or_passed_over(key: str, chunks: list[tuple[DataCharacteristic, bytes]]) -> None:
    said: list[tuple[str, bytes]] = []
    link = PeripheralConnection(DEVICES[key], lambda uuid, data: said.append((uuid, data)), 0.0)
    link.receive(DataCharacteristic.CONTROL, bytes.fromhex("fa80ff"), DATA_SERVICE, 0.0)
    link.receive(DataCharacteristic.CONTROL, bytes.fromhex("f980"), DATA_SERVICE, 0.0)
    for role, data in chunks:
        link.receive(role, data, DATA_SERVICE, 1.0)
    link.publish(2.0)
    assert link.deadline() > 0
    assert all(len(data) <= 244 for _, data in said)


@pytest.mark.parametrize("key", FAMILIES)
def test_after_nonsense_a_client_is_understood_again(key: str) -> None:
    said: list[bytes] = []
    one = DEVICES[key]
    link = PeripheralConnection(one, lambda uuid, data: said.append(data), 0.0)
    instance = one.family.data_instance
    for frame in ("fa80ff", "f980"):
        link.receive(DataCharacteristic.CONTROL, bytes.fromhex(frame), DATA_SERVICE, 0.0)
    link.receive(DataCharacteristic.BULK, b"\xff" * 20, DATA_SERVICE, 0.0)
    link.receive(DataCharacteristic.LAST, b"\x05\x03\x99", DATA_SERVICE, 0.0)
    said.clear()
    link.receive(DataCharacteristic.LAST, central.subscribe(instance), DATA_SERVICE, 0.0)
    link.receive(DataCharacteristic.LAST, central.get(instance, 0xED8D), DATA_SERVICE, 0.0)
    content = one.registers.get(instance, 0xED8D)
    assert isinstance(content, bytes)
    # A control frame of credit is no message of records.
    answers = [central.records(data) for data in said if data[0] != 0xF9]
    assert answers == [[central.Answer(0, 3, 0)], [central.Value(instance, 0xED8D, content)]]
    link.receive(DataCharacteristic.LAST, central.put(0, 0x010C, b"A"), DATA_SERVICE, 0.0)
    assert one.name == "A"


@settings(max_examples=100, deadline=None)
@given(answer=st.binary(max_size=20), read_first=st.booleans())
def test_the_second_authentication_takes_no_chance_answer(answer: bytes, read_first: bool) -> None:
    said: list[bytes] = []
    one = emulated_device("orion", site=SITE)
    one.unlocked = False
    link = PeripheralConnection(one, lambda uuid, data: said.append(data), 0.0)
    if read_first:
        link.nonce()
    link.answer_puk(answer)
    link.answer_pin(answer)
    assert said == [b"\x03", b"\x03"]
    assert not one.unlocked
