"""The columns: the same rows as the careful way, whatever the capture, the blocks and the damage."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bluewatt.errors import CaptureError
from bluewatt.wire.bluetooth.advertisement_reader import AdvertisementReader
from bluewatt.wire.bluetooth.advertising_data import CapturedAdvertisement
from bluewatt.wire.containers import open_container, read_packets

np = pytest.importorskip("numpy", reason="the batch extra (numpy) is not installed")

from bluewatt.wire.containers.columns import (  # noqa: E402
    NO_STRENGTH,
    Columns,
    concatenate,
    read_columns,
)
from bluewatt.wire.containers.columns_layout import WIDTH  # noqa: E402

Rows = list[tuple[float, int, int, bytes]]


def blocks(data: bytes, size: int) -> Iterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


def carefully(data: bytes, size: int) -> tuple[Rows, str, list[tuple[int, str]]]:
    reader, found, told, end = AdvertisementReader(), list[CapturedAdvertisement](), list[CaptureError](), ""
    try:
        for packets in read_packets(blocks(data, size), told.append):
            found += reader.read(packets)
    except CaptureError as error:
        end = f"{error} {error.offset}"
    rows = [
        (at, int(address.replace(":", ""), 16), NO_STRENGTH if rssi is None else rssi, payload[:WIDTH])
        for at, address, _, rssi, _, payload, _ in found
        if payload is not None
    ]
    return rows, end, sorted((problem.offset, str(problem)) for problem in told + reader.problems)


def gathered(data: bytes, size: int) -> tuple[Rows, str, list[tuple[int, str]]]:
    parts, told, end = list[Columns](), list[CaptureError](), ""
    try:
        for columns in read_columns(blocks(data, size), told.append):
            parts.append(columns)
    except CaptureError as error:
        end = f"{error} {error.offset}"
    at, address, rssi, payload, length = concatenate(parts)
    assert payload.shape == (len(at), WIDTH)
    assert not (payload * (np.arange(WIDTH) >= length[:, None])).any()
    rows = [
        (float(when), int(who), int(strength), bytes(body[:size]))
        for when, who, strength, body, size in zip(at, address, rssi, payload, length, strict=True)
    ]
    return rows, end, sorted((problem.offset, str(problem)) for problem in told)


@pytest.mark.parametrize("size", [50, 700, 1 << 20])
def test_every_container_gives_the_careful_rows(making: SimpleNamespace, rows: list, container: str, size: int) -> None:
    data = making.CONTAINERS[container](rows)
    found = gathered(data, size)
    assert found == carefully(data, size)
    assert len(found[0]) == sum(row.payload is not None for row in rows)


def test_the_types_are_the_promised_ones(making: SimpleNamespace, rows: list) -> None:
    for columns in read_columns([making.CONTAINERS["btsnoop-h4"](rows)]):
        kinds = [column.dtype for column in columns]
        assert kinds == [np.float64, np.uint64, np.int8, np.uint8, np.uint8]


def test_other_packets_between_keep_the_order(making: SimpleNamespace, rows: list) -> None:
    chance = random.Random(5)
    others = [
        bytes.fromhex("040e0401032000"),
        bytes.fromhex("010c20020100"),
        bytes.fromhex("024020050001000400") + b"\x0a",
        bytes.fromhex("043e0402010400"),
        b"\x04",
        b"\x02",
        bytes.fromhex("04ff00"),
    ]
    packets = []
    for row in making.heard(300, seed=9):
        packets.append((row.at, chance.choice([making.event(row), *making.extended_event(row, 2)[:2]])))
        if chance.random() < 0.4:
            packets.append((row.at, chance.choice(others)))
    for data in (making.btsnoop(packets), making.pcap(packets, 187), making.pcap(packets, 187, nano=True)):
        for size in (333, 1 << 20):
            assert gathered(data, size) == carefully(data, size)


@pytest.mark.parametrize("longest", [200, 255, 256, 300, 3000])
def test_long_packets_between_cost_nothing(making: SimpleNamespace, longest: int) -> None:
    chance = random.Random(longest)
    packets = []
    for row in making.heard(60, seed=3):
        length = chance.randrange(max(0, longest - 60), longest - 4)
        data = b"\x02" + struct.pack("<HH", 0x0040, length) + chance.randbytes(length)
        packets += [(row.at, making.event(row)), (row.at, data)]
    for data in (making.btsnoop(packets), making.pcap(packets, 187), making.pcap_big_endian(packets, 187)):
        for size in (500, 1 << 20):
            found = gathered(data, size)
            assert found == carefully(data, size)
            assert len(found[0]) == sum(row.payload is not None for row in making.heard(60, seed=3))


def test_a_payload_longer_than_the_matrix_is_cut(making: SimpleNamespace) -> None:
    long = making.Heard(1.0, "AA:BB:CC:DD:EE:FF", 1, -50, bytes(range(100)))
    data = making.btsnoop([(1.0, making.event(long))])
    (columns,) = (part for part in read_columns([data]) if len(part.at))
    assert int(columns.length[0]) == WIDTH
    assert bytes(columns.payload[0]) == bytes(range(WIDTH))
    assert gathered(data, 1000) == carefully(data, 1000)


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_damage_makes_no_difference(making: SimpleNamespace, data: st.DataObject) -> None:
    rows = making.heard(data.draw(st.integers(0, 25)), seed=data.draw(st.integers(0, 5)))
    name = data.draw(st.sampled_from(["btsnoop-h4", "pcap-187", "pcap-201", "pcap-big", "pcap-nano", "pcapng-201"]))
    capture = bytearray(making.CONTAINERS[name](rows))
    for _ in range(data.draw(st.integers(0, 4))):
        capture[data.draw(st.integers(24, max(24, len(capture) - 1))) % len(capture)] = data.draw(st.integers(0, 255))
    if data.draw(st.booleans()):
        del capture[data.draw(st.integers(0, len(capture))) :]
    size = data.draw(st.sampled_from([30, 200, 1000, 1 << 20]))
    assert gathered(bytes(capture), size)[:2] == carefully(bytes(capture), size)[:2]


@pytest.mark.parametrize("lie", [0xFFFFFFFF, 5000, 3])
def test_a_lying_length_costs_the_same_neighbours(making: SimpleNamespace, rows: list, lie: int) -> None:
    for name, length_at in (("btsnoop-h4", 4), ("pcap-201", 8)):
        data = bytearray(making.CONTAINERS[name](rows))
        offset = open_and_find(bytes(data), 20)
        struct.pack_into(">I" if name.startswith("bt") else "<I", data, offset + length_at, lie)
        for size in (100, 1 << 20):
            assert gathered(bytes(data), size) == carefully(bytes(data), size)


def open_and_find(data: bytes, number: int) -> int:
    reader, rest = open_container(data)
    return reader.feed(rest)[number][4]
