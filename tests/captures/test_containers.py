"""The containers: every one read as its writer wrote it, in blocks of any size; damage told with its place."""

from __future__ import annotations

import io
import random
import struct
from collections.abc import Iterator
from types import SimpleNamespace

import dpkt
import pytest
from bumble.snoop import BtSnooper, PcapSnooper, Snooper
from hypothesis import given, settings
from hypothesis import strategies as st

from bluewatt.errors import CaptureError
from bluewatt.wire.containers import FROM_CONTROLLER, TO_CONTROLLER, Packet, PacketKind, read_packets


def blocks(data: bytes, size: int = 1 << 16) -> Iterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


def packets(data: bytes, size: int = 1 << 16, problems: list[CaptureError] | None = None) -> list[Packet]:
    told = problems.append if problems is not None else None
    return [packet for chunk in read_packets(blocks(data, size), told) for packet in chunk]


def until_error(data: bytes, size: int = 1 << 16) -> tuple[list[Packet], CaptureError | None]:
    found: list[Packet] = []
    try:
        for chunk in read_packets(blocks(data, size)):
            found += chunk
    except CaptureError as error:
        return found, error
    return found, None


def test_every_container_gives_what_was_written(making: SimpleNamespace, rows: list, container: str) -> None:
    found = packets(making.CONTAINERS[container](rows))
    assert len(found) == len(rows)
    assert [packet[0] for packet in found] == pytest.approx([row.at for row in rows], abs=1e-6)
    if found[0][1] == PacketKind.EVENT:
        assert [packet[3] for packet in found] == [making.event(row)[1:] for row in rows]
        assert {packet[2] for packet in found} == {FROM_CONTROLLER}
    else:
        assert all(making.air(row) in packet[3] for row, packet in zip(rows, found, strict=True))


@pytest.mark.parametrize("size", [1, 7, 64, 1000])
def test_blocks_of_any_size_give_the_same(making: SimpleNamespace, rows: list, container: str, size: int) -> None:
    data = making.CONTAINERS[container](rows[:20])
    assert packets(data, size) == packets(data)


def test_offsets_are_those_of_the_records(making: SimpleNamespace, rows: list, container: str) -> None:
    data = making.CONTAINERS[container](rows)
    for _, _, _, body, offset, _ in packets(data):
        assert data.index(body, offset) - offset <= 40


def test_a_cut_gives_all_whole_packets_and_then_the_place(making: SimpleNamespace, rows: list, container: str) -> None:
    data = making.CONTAINERS[container](rows)
    whole = packets(data)
    last = whole[-1][4]
    for cut in range(last + 1, len(data), 5):
        found, error = until_error(data[:cut])
        assert found == whole[:-1]
        assert error is not None
        assert error.offset == last


def test_a_cut_between_two_packets_is_no_error(making: SimpleNamespace, rows: list, container: str) -> None:
    data = making.CONTAINERS[container](rows)
    whole = packets(data)
    found, error = until_error(data[: whole[-1][4]])
    assert found == whole[:-1]
    assert error is None


@pytest.mark.parametrize("kind", ["btsnoop-h4", "pcap-201", "pcap-big", "pcapng-201", "pcapng-big"])
@pytest.mark.parametrize("lie", [0xFFFFFFFF, 0x7000_0000, 5000, 3])
@pytest.mark.parametrize("which", [0, 30])
def test_a_lying_length_costs_its_neighbours_only(
    making: SimpleNamespace, rows: list, kind: str, lie: int, which: int
) -> None:
    data = making.CONTAINERS[kind](rows)
    whole = packets(data)
    offset = whole[which][4]
    length_at = {"btsnoop": 4, "pcap": 8, "pcapng": 4}[kind.split("-")[0]]
    order = ">" if "big" in kind or "btsnoop" in kind else "<"
    damaged = bytearray(data)
    struct.pack_into(order + "I", damaged, offset + length_at, lie)
    problems: list[CaptureError] = []
    found = packets(bytes(damaged), 777, problems)
    assert problems
    assert all(problem.offset >= offset for problem in problems)
    lost = [packet for packet in whole if packet not in found]
    # Where the very first length lies, nothing was seen yet to find the way by but this one header.
    assert len(lost) <= 2
    assert found[-1] == whole[-1]


@pytest.mark.parametrize("data", [b"", b"b", b"btsnoop\0", b"\xa1\xb2\xc3\xd4\0", b"hello, this is a text of a line"])
def test_what_is_no_capture_says_so(data: bytes) -> None:
    found, error = until_error(data)
    assert found == []
    assert error is not None


def test_an_unknown_link_type_is_named(making: SimpleNamespace, rows: list) -> None:
    written = [(row.at, b"\0" * 60) for row in rows]
    for data in (making.pcap(written, 1), making.pcapng(written, 1), making.btsnoop(written, 1004)):
        found, error = until_error(data)
        assert found == []
        assert error is not None
        assert "link" in str(error)
        assert " 1" in str(error)


def test_one_unknown_interface_among_others_is_passed_over(making: SimpleNamespace, rows: list) -> None:
    png = dpkt.pcapng
    file = io.BytesIO()
    interfaces = [png.InterfaceDescriptionBlockLE(linktype=1), png.InterfaceDescriptionBlockLE(linktype=187)]
    writer = png.Writer(file, idb=interfaces)
    for row in rows:
        for interface in (0, 1):
            data = making.event(row)
            block = png.EnhancedPacketBlockLE(
                iface_id=interface, caplen=len(data), pkt_len=len(data), pkt_data=data, ts_high=0, ts_low=1
            )
            writer.writepkt(block)
    problems: list[CaptureError] = []
    found = packets(file.getvalue(), problems=problems)
    assert len(found) == len(rows)
    assert {packet[5] for packet in found} == {1}
    assert len(problems) == 1


def test_sections_of_either_byte_order_follow_each_other(making: SimpleNamespace, rows: list) -> None:
    little = making.CONTAINERS["pcapng-201"](rows)
    big = making.CONTAINERS["pcapng-big"](rows)
    assert [packet[3] for packet in packets(little + big + little, 999)] == [making.event(row)[1:] for row in rows] * 3


@pytest.mark.parametrize(
    ("resolution", "ticks"), [(6, 10**6), (9, 10**9), (3, 10**3), (0, 1), (0x80 | 20, 2**20), (0x80, 1)]
)
def test_the_resolution_of_an_interface_counts(resolution: int, ticks: int) -> None:
    png = dpkt.pcapng
    options = [
        png.PcapngOptionLE(code=9, data=bytes([resolution])),
        png.PcapngOptionLE(code=14, data=struct.pack("<q", -3600)),
        png.PcapngOptionLE(code=0),
    ]
    stamp = 1_700_000_000 * ticks + ticks // 4
    packet = b"\x04\x0e\x00"
    data = (
        bytes(png.SectionHeaderBlockLE())
        + bytes(png.InterfaceDescriptionBlockLE(linktype=187, opts=options))
        + bytes(
            png.EnhancedPacketBlockLE(
                ts_high=stamp >> 32, ts_low=stamp & 0xFFFFFFFF, caplen=3, pkt_len=3, pkt_data=packet
            )
        )
    )
    (found,) = packets(data)
    assert found[0] == pytest.approx(1_700_000_000 - 3600 + (ticks // 4) / ticks, abs=1e-6)


def test_simple_and_old_packet_blocks_are_read() -> None:
    png = dpkt.pcapng
    body = b"\x04\x0e\x04\x01\x00\x00\x00"
    simple = struct.pack("<III", 3, 24, 7) + body + b"\0" + struct.pack("<I", 24)
    old = bytes(png.PacketBlockLE(iface_id=0, ts_high=0, ts_low=5_000_000, caplen=7, pkt_len=7, pkt_data=body))
    data = bytes(png.SectionHeaderBlockLE()) + bytes(png.InterfaceDescriptionBlockLE(linktype=187)) + old + simple
    assert [(packet[0], packet[3]) for packet in packets(data)] == [(5.0, body[1:])] * 2


def test_the_direction_flag_of_a_packet_is_read() -> None:
    png = dpkt.pcapng
    body = b"\x02\x40\x00\x01\x00\x00"
    options = [png.PcapngOptionLE(code=2, data=struct.pack("<I", 2)), png.PcapngOptionLE(code=0)]
    block = png.EnhancedPacketBlockLE(
        ts_high=0, ts_low=1, caplen=len(body), pkt_len=len(body), pkt_data=body, opts=options
    )
    data = bytes(png.SectionHeaderBlockLE()) + bytes(png.InterfaceDescriptionBlockLE(linktype=187)) + bytes(block)
    (found,) = packets(data)
    assert found[1:4] == (PacketKind.ACL, TO_CONTROLLER, body[1:])


def test_h1_and_the_monitor_tell_the_kinds_apart(making: SimpleNamespace) -> None:
    def kinds(link: int, *flags: int) -> list[tuple[int, int | None, int]]:
        data = b"btsnoop\0" + struct.pack(">II", 1, link)
        data += b"".join(struct.pack(">IIIIq", 4, 4, flag, 0, 0xE0_0000_0000_0000) + b"\1\2\1\0" for flag in flags)
        return [(kind, direction, adapter) for _, kind, direction, _, _, adapter in packets(data)]

    assert kinds(1001, 0, 1, 2, 3) == [(2, 0, 0), (2, 1, 0), (1, 0, 0), (4, 1, 0)]
    assert kinds(2001, 2, 3, 0x10004, 0x20005, 19, 13) == [
        (1, 0, 0), (4, 1, 0), (2, 0, 1), (2, 1, 2), (5, 1, 0), (0, None, 0),
    ]  # fmt: skip


@pytest.mark.parametrize("snooper", [BtSnooper, PcapSnooper])
def test_what_bumble_records_is_read(making: SimpleNamespace, rows: list, snooper: type) -> None:
    file = io.BytesIO()
    writer = snooper(file)
    sent = [(making.event(row), Snooper.Direction.CONTROLLER_TO_HOST) for row in rows]
    sent.append((b"\x01\x0c\x20\x02\x01\x00", Snooper.Direction.HOST_TO_CONTROLLER))
    sent.append((b"\x02\x40\x20\x05\x00\x01\x00\x04\x00\x0a", Snooper.Direction.HOST_TO_CONTROLLER))
    for packet, direction in sent:
        writer.snoop(packet, direction)
    found = packets(file.getvalue())
    assert [bytes([kind]) + data for _, kind, _, data, _, _ in found] == [packet for packet, _ in sent]
    assert [packet[2] for packet in found] == [int(direction) for _, direction in sent]


@pytest.mark.parametrize("form", ["btsnoop", "pcapng", "nsecpcap", "pcap"])
def test_conversions_by_editcap_are_read(making: SimpleNamespace, rows: list, wireshark, form: str) -> None:
    original = making.CONTAINERS["pcap-201"](rows)
    found = packets(wireshark.convert(original, form))
    assert [packet[:4] for packet in found] == [packet[:4] for packet in packets(original)]


def test_tshark_counts_the_same(making: SimpleNamespace, rows: list, container: str, wireshark) -> None:
    data = making.CONTAINERS[container](rows)
    times = [float(row[0]) for row in wireshark.fields(data, "frame.time_epoch")]
    assert times == pytest.approx([packet[0] for packet in packets(data)], abs=1e-6)


def test_random_bytes_behind_a_good_header_end_in_an_error_only(making: SimpleNamespace, container: str) -> None:
    chance = random.Random(container)
    header = making.CONTAINERS[container]([])
    for _ in range(20):
        until_error(header + chance.randbytes(chance.randrange(1, 3000)), 512)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=400), st.integers(1, 100))
def test_no_bytes_raise_anything_but_a_capture_error(data: bytes, size: int) -> None:
    for magic in (b"", b"btsnoop\0\0\0\0\1\0\0\3\xea", b"\xd4\xc3\xb2\xa1" + bytes(16) + b"\xc9\0\0\0", b"\n\r\r\n"):
        until_error(magic + data, size)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_flipped_bytes_raise_nothing_else(making: SimpleNamespace, rows: list, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(making.CONTAINERS)))
    capture = bytearray(making.CONTAINERS[name](rows[:6]))
    for _ in range(data.draw(st.integers(1, 5))):
        capture[data.draw(st.integers(0, len(capture) - 1))] = data.draw(st.integers(0, 255))
    until_error(bytes(capture), data.draw(st.integers(1, 300)))
