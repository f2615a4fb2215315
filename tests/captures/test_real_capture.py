"""The real capture of a SmartShunt: our counts against an independent walk over the file, bumble and tshark."""

from __future__ import annotations

import struct
from collections import Counter
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from bumble import hci
from bumble.core import AdvertisingData
from bumble.snoop import BtSnooper

from bluewatt.tables.gatt import COMPANY_ID
from bluewatt.transports.capture.frames import CaptureCounters, read_frames
from bluewatt.wire.containers import read_packets


@pytest.fixture(scope="module")
def path(shared: Path) -> Path:
    found = sorted(shared.glob("captures/*.btsnoop"))
    if not found:
        pytest.skip("there is no real capture in ../shared/captures")
    return found[0]


def walk(data: bytes) -> list[tuple[float, bytes]]:
    """Every packet of a btsnoop file, the shortest way."""
    packets, position = [], 16
    while position < len(data):
        length = struct.unpack_from(">I", data, position + 4)[0]
        stamp = struct.unpack_from(">q", data, position + 16)[0]
        at = (stamp - BtSnooper.TIMESTAMP_DELTA) / 1e6 + BtSnooper.TIMESTAMP_ANCHOR.timestamp()
        packets.append((at, data[position + 24 : position + 24 + length]))
        position += 24 + length
    return packets


def test_every_packet_is_found(path: Path) -> None:
    theirs = walk(path.read_bytes())
    ours = [packet for chunk in read_packets([path.read_bytes()]) for packet in chunk]
    assert len(ours) == len(theirs) > 2000
    assert [bytes([kind]) + data for _, kind, _, data, _, _ in ours] == [data for _, data in theirs]
    assert [packet[0] for packet in ours] == pytest.approx([at for at, _ in theirs], abs=1e-5)
    assert datetime.fromtimestamp(ours[0][0], UTC).date() == date(2020, 11, 23)


def test_the_advertisements_are_those_bumble_finds(path: Path) -> None:
    theirs = []
    for _, data in walk(path.read_bytes()):
        if data[0] != 4 or data[1] != 0x3E or data[3] != 2:
            continue
        for report in hci.HCI_Packet.from_bytes(data).reports:
            makers = AdvertisingData.from_bytes(report.data).get_all(AdvertisingData.MANUFACTURER_SPECIFIC_DATA)
            payloads = [bytes(maker[1]) for maker in makers if maker[0] == COMPANY_ID]
            theirs += [(str(report.address).split("/")[0], payload, report.rssi) for payload in payloads[:1]]
    counters = CaptureCounters()
    ours = [(frame.address, frame.payload, frame.rssi) for frame in read_frames(path, counters=counters)]
    assert ours == theirs
    assert len(ours) > 40
    assert counters.problems == 0


def test_tshark_counts_the_same_kinds(path: Path, wireshark) -> None:
    theirs = Counter(int(row[0], 16) for row in wireshark.fields(path.read_bytes(), "hci_h4.type"))
    ours = Counter(packet[1] for chunk in read_packets([path.read_bytes()]) for packet in chunk)
    assert ours == theirs
