"""From packets to advertisements: HCI reports against bumble's packets, link-layer packets against tshark's reading."""

from __future__ import annotations

import contextlib
import random
import struct
from types import SimpleNamespace

import pytest
from bumble import hci
from bumble.core import AdvertisingData
from hypothesis import given, settings
from hypothesis import strategies as st

from bluewatt.errors import Malformed, WireError
from bluewatt.wire.bluetooth.advertisement_reader import AdvertisementReader
from bluewatt.wire.bluetooth.advertising_data import AddressTexts, CapturedAdvertisement, parse_structures
from bluewatt.wire.bluetooth.hci_reports import advertising_reports
from bluewatt.wire.bluetooth.link_layer import advertising_report, unwrap_air
from bluewatt.wire.containers import Packet, PacketKind, read_packets


def packet(data: bytes, kind: int = PacketKind.EVENT, at: float = 1.0) -> Packet:
    return (at, int(kind), None, data, 0, 0)


def expected(rows: list, *, rssi: bool = True) -> list[CapturedAdvertisement]:
    return [
        (row.at, row.address, row.address_type, row.rssi if rssi else None, row.event_type, row.payload, row.name)
        for row in rows
    ]


def rounded(found: list[CapturedAdvertisement]) -> list[tuple]:
    return [(round(at, 6), *rest) for at, *rest in found]


def test_every_container_gives_the_same_advertisements(making: SimpleNamespace, rows: list, container: str) -> None:
    reader = AdvertisementReader()
    found = [
        advertisement
        for packets in read_packets([making.CONTAINERS[container](rows)])
        for advertisement in reader.read(packets)
    ]
    # A plain link-layer capture has no place for a strength.
    assert rounded(found) == expected(rows, rssi=not container.endswith("-251"))
    assert not reader.problems


def test_reports_are_those_of_bumble(making: SimpleNamespace, rows: list) -> None:
    for row in rows:
        for data in (making.event(row), *making.extended_event(row)):
            theirs = hci.HCI_Packet.from_bytes(data).reports
            ours = list(advertising_reports(data[1:]))
            assert len(ours) == len(theirs)
            for our, their in zip(ours, theirs, strict=True):
                assert (our.event_type, our.address_type) == (their.event_type, their.address_type)
                assert our.address == bytes(their.address)
                assert our.data == their.data
                assert struct.unpack("b", bytes([our.rssi])) == (their.rssi,)


def test_structures_are_those_of_bumble(rows: list) -> None:
    for row in rows:
        theirs = AdvertisingData.from_bytes(row.data)
        maker = theirs.get(AdvertisingData.MANUFACTURER_SPECIFIC_DATA)
        payload, name = parse_structures(row.data)
        assert payload == (None if maker is None else maker[1])
        assert name == theirs.get(AdvertisingData.COMPLETE_LOCAL_NAME)


def test_several_reports_in_one_event(making: SimpleNamespace, rows: list) -> None:
    few = [row for row in rows if row.payload][:4]
    reports = [
        hci.HCI_LE_Advertising_Report_Event.Report(
            0, row.address_type, hci.Address(row.air_order, row.address_type), row.data, row.rssi
        )
        for row in few
    ]
    data = bytes(hci.HCI_LE_Advertising_Report_Event(reports))[1:]
    found = AdvertisementReader().read([packet(data)])
    assert [row[1:] for row in found] == [row[1:] for row in expected(few)]


def test_the_reports_before_damage_are_kept(making: SimpleNamespace, rows: list) -> None:
    one = making.event(rows[0])[5:]
    data = bytes([0x3E, 2 + len(one) + 4, 0x02, 2]) + one + b"\0\1\2\3"
    reader = AdvertisementReader()
    assert [row[5] for row in reader.read([packet(data)])] == [rows[0].payload]
    assert len(reader.problems) == 1


@pytest.mark.parametrize("pieces", [1, 2, 3, 5])
def test_extended_data_is_put_together(making: SimpleNamespace, rows: list, pieces: int) -> None:
    few = [row for row in rows if row.payload]
    reader = AdvertisementReader()
    found = [
        advertisement
        for row in few
        for data in making.extended_event(row, pieces)
        for advertisement in reader.read([packet(data[1:], at=row.at)])
    ]
    assert found == expected(few)


def test_two_extended_advertisers_do_not_mix(making: SimpleNamespace, rows: list) -> None:
    first = next(row for row in rows if row.payload and len(row.payload) > 20)
    second = next(row for row in rows if row.payload and len(row.payload) > 20 and row.address != first.address)
    events = [making.extended_event(row, 2) for row in (first, second)]
    mixed = [events[0][0], events[1][0], events[1][1], events[0][1]]
    found = AdvertisementReader().read([packet(data[1:]) for data in mixed])
    assert [row[5] for row in found] == [second.payload, first.payload]


def test_strangers_without_a_name_are_passed_over() -> None:
    stranger = bytes.fromhex("020106 05ff4c001005")
    data = bytes([0x3E, 12 + len(stranger), 2, 1, 0, 1, *range(6), len(stranger)]) + stranger + b"\xc0"
    reader = AdvertisementReader()
    assert reader.read([packet(data)]) == []
    assert not reader.problems


def test_strength_not_available_is_none() -> None:
    ad = bytes.fromhex("05ffe1021002")
    data = bytes([0x3E, 12 + len(ad), 2, 1, 0, 1, *range(6), len(ad)]) + ad + b"\x7f"
    (found,) = AdvertisementReader().read([packet(data)])
    assert found[3] is None
    assert found[1] == "05:04:03:02:01:00"


@pytest.mark.parametrize(
    ("data", "payload", "name"),
    [
        (b"", None, None),
        (bytes(31), None, None),
        (bytes.fromhex("03ffe102"), b"", None),
        (bytes.fromhex("04ffe10210 00 04ffe10211"), b"\x10", None),
        (bytes.fromhex("04ffe10210 04ffe10211"), b"\x10", None),
        (bytes.fromhex("04ffe00210 04ffe10211"), b"\x11", None),
        (bytes.fromhex("0308 4142 0309 4344 0308 4546"), None, "CD"),
        (bytes.fromhex("0309 4344 0308 4142"), None, "CD"),
        (bytes.fromhex("0309 ff44"), None, "\ufffdD"),
        (bytes.fromhex("02ffe1 02010a"), None, None),
    ],
)
def test_structures(data: bytes, payload: bytes | None, name: str | None) -> None:
    assert parse_structures(data) == (payload, name)


@pytest.mark.parametrize("data", [b"\x05", b"\x02\x01", bytes.fromhex("020106 1fffe102"), b"\xff\xff"])
def test_a_structure_past_the_end_is_malformed(data: bytes) -> None:
    with pytest.raises(Malformed):
        parse_structures(data)


def test_the_short_way_never_differs_from_the_careful_one(making: SimpleNamespace, rows: list) -> None:
    chance = random.Random(11)
    for _ in range(4000):
        data = bytearray(making.event(chance.choice(rows))[1:])
        for _ in range(chance.randrange(3)):
            data[chance.randrange(len(data))] = chance.choice([0, 1, 2, 9, 0x1B, 0x1F, 0xFF, chance.randrange(256)])
        if chance.random() < 0.2:
            del data[chance.randrange(len(data)) :]
        short, careful = AdvertisementReader(), AdvertisementReader()
        found = short.read([packet(bytes(data))])
        slow: list[CapturedAdvertisement] = []
        careful._event(1.0, bytes(data), 0, slow)
        assert found == slow
        assert len(short.problems) == len(careful.problems)


def test_a_wrong_crc_is_skipped_and_counted(making: SimpleNamespace, rows: list) -> None:
    reader = AdvertisementReader()
    good = next(row for row in rows if row.payload)
    bad = [
        packet(making.air_with_header(good, flags=0x0413), PacketKind.AIR_WITH_HEADER),
        packet(making.air_nordic(good, flags=0), PacketKind.AIR_NORDIC),
    ]
    unchecked = packet(making.air_with_header(good, flags=0x0013), PacketKind.AIR_WITH_HEADER)
    assert len(reader.read([*bad, unchecked])) == 1
    assert reader.bad_crc == 2


def test_a_strength_marked_invalid_is_none(making: SimpleNamespace, rows: list) -> None:
    data = making.air_with_header(rows[0], flags=0x0C11)
    (found,) = AdvertisementReader().read([packet(data, PacketKind.AIR_WITH_HEADER)])
    assert found[3] is None


@pytest.mark.parametrize("version", [1, 2, 3])
def test_every_nordic_header_is_read(making: SimpleNamespace, rows: list, version: int) -> None:
    data = [packet(making.air_nordic(row, version=version), PacketKind.AIR_NORDIC, row.at) for row in rows]
    assert AdvertisementReader().read(data) == expected(rows)


def test_data_channels_and_scan_requests_are_not_advertisements(making: SimpleNamespace) -> None:
    request = struct.pack("<IBB", 0x8E89BED6, 0x43, 12) + bytes(12) + b"\1\2\3"
    data = struct.pack("<IBB", 0x12345678, 0x02, 4) + bytes(4) + b"\1\2\3"
    reader = AdvertisementReader()
    assert reader.read([packet(request, PacketKind.AIR), packet(data, PacketKind.AIR)]) == []
    assert not reader.problems


def test_an_extended_pdu_that_names_its_sender_is_read() -> None:
    ad = bytes.fromhex("07ffe1021002aabb")
    header = bytes([0x01 | 0x08]) + bytes(range(6)) + b"\x12\x34"
    pdu = bytes([0x47, 1 + len(header) + len(ad), len(header)]) + header + ad
    found = AdvertisementReader().read([packet(struct.pack("<I", 0x8E89BED6) + pdu + b"\1\2\3", PacketKind.AIR)])
    assert [(row[1], row[2], row[5]) for row in found] == [("05:04:03:02:01:00", 1, bytes.fromhex("1002aabb"))]


def test_tshark_reads_the_same_from_the_air(making: SimpleNamespace, rows: list, wireshark) -> None:
    strengths = {251: None, 256: "btle_rf.signal_dbm", 272: "nordic_ble.rssi"}
    for link, strength in strengths.items():
        capture = making.CONTAINERS[f"pcap-{link}"](rows)
        names = ["btle.advertising_address", "btcommon.eir_ad.entry.company_id", *([strength] if strength else [])]
        theirs = wireshark.fields(capture, *names)
        reader = AdvertisementReader()
        ours = [found for packets in read_packets([capture]) for found in reader.read(packets)]
        assert len(ours) == len(theirs)
        for our, their in zip(ours, theirs, strict=True):
            assert their[0].upper() == our[1]
            assert (their[1] == "0x02e1") == (our[5] is not None)
            assert not strength or int(their[2]) == our[3]


def test_tshark_finds_our_link_layer_captures_whole(making: SimpleNamespace, rows: list, wireshark) -> None:
    """The captures the reader is tested with are real ones: right CRC, nothing malformed."""
    for link in (251, 256, 272):
        capture = making.CONTAINERS[f"pcap-{link}"](rows)
        assert wireshark.fields(capture, "frame.number", where="_ws.malformed || btle.crc.incorrect") == []


@pytest.mark.parametrize("indicator", [0, 6, 7, 251, 255])
def test_an_unknown_packet_indicator_is_passed_over(making: SimpleNamespace, rows: list, indicator: int) -> None:
    packets = [(1.0, bytes([indicator]) + making.air(rows[0])), (2.0, making.event(rows[0]))]
    for data in (making.btsnoop(packets), making.pcap(packets, 187), making.pcapng(packets, 187)):
        reader = AdvertisementReader()
        (found,) = (found for chunk in read_packets([data]) for found in reader.read(chunk))
        assert found[0] == 2.0
        assert not reader.problems


def test_addresses_do_not_grow_without_end() -> None:
    texts = AddressTexts()
    for number in range(AddressTexts.limit + 10):
        assert texts[number.to_bytes(6, "big")].count(":") == 5
    assert len(texts) == 10


@settings(max_examples=500, deadline=None)
@given(st.binary(max_size=80), st.sampled_from(list(PacketKind)))
def test_no_packet_stops_the_reader(data: bytes, kind: PacketKind) -> None:
    reader = AdvertisementReader()
    for lead in (b"", b"\x3e" + bytes([max(len(data) + 2, 0) & 0xFF]) + b"\x02\x01", b"\x3e\x40\x0d\x02"):
        reader.read([packet(lead + data, kind)])
        reader.read([packet(b"\xd6\xbe\x89\x8e" + data, PacketKind.AIR)])


@settings(max_examples=500, deadline=None)
@given(st.binary(max_size=80))
def test_codecs_raise_wire_errors_only(data: bytes) -> None:
    calls = [
        lambda: parse_structures(data),
        lambda: list(advertising_reports(data)),
        *(
            lambda kind=kind: advertising_report(unwrap_air(kind, data))
            for kind in PacketKind
            if kind >= PacketKind.AIR
        ),
    ]
    for call in calls:
        with contextlib.suppress(WireError):
            call()
