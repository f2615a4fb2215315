"""The SmartShunt service and VE.Smart networking on any bytes: inverses, and no error but of the wire and the key."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bluewatt.errors import KeyProblem, Malformed, Unencodable, UnknownType, WireError
from bluewatt.tables.smartshunt import CHARACTERISTICS, KEEP_ALIVE, SmartShuntCharacteristic
from bluewatt.wire.smartshunt import KeepAlive, decode_characteristic, encode_characteristic
from bluewatt.wire.vesmart.broadcast import (
    BroadcastContent,
    BroadcastValue,
    Network,
    build_broadcast,
    build_content,
    parse_broadcast,
    parse_content,
    seal,
    serial_number,
    serial_text,
    unseal,
)
from bluewatt.wire.vesmart.network import ContentHeard, NetworkReceiver, NetworkSender

uint32 = st.integers(0, 2**32 - 1)
uint16 = st.integers(0, 2**16 - 1)
networks = st.builds(Network.of, st.binary(min_size=2, max_size=2), st.binary(min_size=16, max_size=16))
values = st.builds(BroadcastValue, uint16, st.binary(max_size=8))


@pytest.mark.parametrize("row", CHARACTERISTICS, ids=lambda row: row.metric)
@given(raw=st.binary(max_size=6))
def test_a_characteristic_of_the_right_length_is_built_back(row: SmartShuntCharacteristic, raw: bytes) -> None:
    value = decode_characteristic(row.uuid, raw)
    if len(raw) == row.size:
        assert encode_characteristic(row.uuid, value) == raw
    else:
        assert value is None


@pytest.mark.parametrize("row", CHARACTERISTICS, ids=lambda row: row.metric)
@given(value=st.floats())
def test_any_number_is_held_to_half_a_step_or_refused(row: SmartShuntCharacteristic, value: float) -> None:
    try:
        raw = encode_characteristic(row.uuid, value)
    except Unencodable:
        return
    found = decode_characteristic(row.uuid, raw)
    assert found is not None
    assert found == value or abs(found - value) <= 0.5001 / row.layout.scale.divisor


@given(writes=st.lists(st.tuples(st.floats(0, 100), st.binary(max_size=3)), max_size=20))
def test_a_keep_alive_lives_on_the_last_good_write(writes: list[tuple[float, bytes]]) -> None:
    timer, now, expected = KeepAlive(now=0.0), 0.0, 60.0
    for pause, raw in writes:
        now += pause
        with contextlib.suppress(Malformed):
            timer.receive(raw, now)
        if len(raw) == KEEP_ALIVE.size and raw == b"\xff\xff":
            expected = float("inf")
        elif len(raw) == KEEP_ALIVE.size:
            expected = now + int.from_bytes(raw, "little") / 1000
    assert timer.expires_at == expected


@given(
    payload=st.one_of(st.binary(max_size=300), st.builds(bytes.__add__, st.sampled_from([b"\1", b"\2"]), st.binary()))
)
def test_any_bytes_raise_nothing_but_errors_of_the_wire_and_the_key(payload: bytes) -> None:
    group = payload[1:2] or b"\0"
    receiver = NetworkReceiver([Network.of(group + b"\0", bytes(16))])
    with contextlib.suppress(WireError, KeyProblem):
        assert receiver.receive(payload) == ()


@given(body=st.binary(min_size=14, max_size=252), record_type=st.sampled_from([1, 2]))
def test_a_broadcast_is_built_back(body: bytes, record_type: int) -> None:
    payload = bytes([record_type]) + (body[:15].ljust(15, b"\0") if record_type == 1 else body)
    assert build_broadcast(parse_broadcast(payload)) == payload


@given(plaintext=st.binary(min_size=1, max_size=240))
def test_any_content_is_built_back(plaintext: bytes) -> None:
    assert build_content(parse_content(plaintext), longest=240) == plaintext


@given(known=st.sampled_from([0x0F, 0x08]), records=st.lists(values, max_size=8))
def test_register_values_are_read_as_written(known: int, records: list[BroadcastValue]) -> None:
    content = BroadcastContent(tuple(records), kind=known)
    assert parse_content(build_content(content, longest=240)) == content


@given(network=networks, serial=uint32, sequence=uint32, overflow=uint16, plaintext=st.binary(max_size=240))
def test_what_is_sealed_is_unsealed(
    network: Network, serial: int, sequence: int, overflow: int, plaintext: bytes
) -> None:
    sealed = seal(network, serial=serial, sequence=sequence, overflow=overflow, plaintext=plaintext)
    assert unseal(parse_broadcast(build_broadcast(sealed)), network, overflow) == plaintext


@given(number=uint32, text=st.text(max_size=12))
def test_serial_numbers_are_inverse(number: int, text: str) -> None:
    assert serial_number(serial_text(number, date="2104")) == number
    with contextlib.suppress(Unencodable):
        assert serial_text(serial_number(text), date=text[2:6]) == text.upper()


@given(
    network=networks,
    serial=uint32,
    last_counter=st.integers(0, 2**48 - 5000),
    registers=st.dictionaries(uint16, st.binary(min_size=1, max_size=6), min_size=1, max_size=6),
    lost=st.sets(st.integers(0, 199)),
)
def test_a_listener_hears_every_value_whatever_is_lost_early(
    network: Network, serial: int, last_counter: int, registers: dict[int, bytes], lost: set[int]
) -> None:
    sender = NetworkSender(network, serial, last_counter=last_counter)
    sender.update(registers)
    receiver, heard, sent = NetworkReceiver([network]), dict[int, bytes](), 0
    for now in range(300):
        while (payload := sender.due(float(now))) is not None:
            sent += 1
            if sent in lost:
                continue
            with contextlib.suppress(KeyProblem):
                for event in receiver.receive(payload):
                    if isinstance(event, ContentHeard):
                        heard.update(event.content.records)
    assert heard == registers


def test_an_unknown_type_keeps_what_was_seen() -> None:
    with pytest.raises(UnknownType) as caught:
        parse_broadcast(b"\x77\x01")
    assert (caught.value.type_number, caught.value.raw) == (0x77, b"\x77\x01")
