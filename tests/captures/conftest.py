"""Golden captures, made on the spot by writers that share nothing with our readers: dpkt, bumble, Wireshark's tools."""

from __future__ import annotations

import io
import random
import shutil
import struct
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import dpkt
import pytest
from bumble import hci

START = 1_795_000_000
VICTRON = b"\xe1\x02"


@dataclass(frozen=True)
class Heard:
    """One advertisement of a golden capture."""

    at: float
    address: str
    address_type: int
    rssi: int
    payload: bytes | None
    name: str | None = None
    lead: bytes = b"\x02\x01\x06"

    @property
    def data(self) -> bytes:
        data = self.lead
        if self.payload is not None:
            data += bytes([len(self.payload) + 3, 0xFF]) + VICTRON + self.payload
        if self.name is not None:
            data += bytes([len(self.name.encode()) + 1, 0x09]) + self.name.encode()
        return data

    @property
    def event_type(self) -> int:
        return 4 if self.payload is None else 0

    @property
    def air_order(self) -> bytes:
        return bytes.fromhex(self.address.replace(":", ""))[::-1]


def heard(count: int = 60, seed: int = 7) -> list[Heard]:
    """A mixed minute on the radio: payloads of all lengths, scan responses with names, strengths, two address types."""
    chance = random.Random(seed)
    devices = [":".join(f"{chance.randrange(256):02X}" for _ in range(6)) for _ in range(6)]
    rows = []
    for number in range(count):
        address = chance.choice(devices)
        row = {"at": START + number * 0.25, "address": address, "address_type": 1, "rssi": -chance.randrange(30, 100)}
        if number % 7 == 3:
            rows.append(Heard(**row, payload=None, name=f"Site {address[:5]} ☼", lead=b""))
        else:
            payload = b"\x10" + chance.randbytes(chance.choice([3, 10, 15, 23]))
            lead = b"" if number % 5 == 1 else b"\x02\x01\x06"
            rows.append(Heard(**row, payload=payload, lead=lead))
    return rows


def event(row: Heard) -> bytes:
    """The HCI packet of a legacy advertising report, by bumble."""
    report = hci.HCI_LE_Advertising_Report_Event.Report(
        event_type=row.event_type,
        address_type=row.address_type,
        address=hci.Address(row.air_order, row.address_type),
        data=row.data,
        rssi=row.rssi,
    )
    return bytes(hci.HCI_LE_Advertising_Report_Event([report]))


def extended_event(row: Heard, pieces: int = 1) -> list[bytes]:
    """The same advertisement as extended reports, its data split over `pieces` events."""
    size = -(-len(row.data) // pieces)
    parts = [row.data[start : start + size] for start in range(0, len(row.data), size)]
    report = hci.HCI_LE_Extended_Advertising_Report_Event.Report
    return [
        bytes(
            hci.HCI_LE_Extended_Advertising_Report_Event(
                [
                    report(
                        event_type=0x00 if number == len(parts) - 1 else 0x20,
                        address_type=row.address_type,
                        address=hci.Address(row.air_order, row.address_type),
                        primary_phy=1,
                        secondary_phy=2,
                        advertising_sid=3,
                        tx_power=127,
                        rssi=row.rssi,
                        periodic_advertising_interval=0,
                        direct_address_type=0,
                        direct_address=hci.Address(bytes(6), 0),
                        data=part,
                    )
                ]
            )
        )
        for number, part in enumerate(parts)
    ]


def crc24(pdu: bytes) -> bytes:
    """The CRC of an advertising packet, bit by bit as the Core specification draws it."""
    state = 0x555555
    for byte in pdu:
        for bit in range(8):
            feedback = (state >> 23) ^ (byte >> bit & 1)
            state = (state << 1) & 0xFFFFFF
            if feedback & 1:
                state ^= 0x00065B
    return bytes(int(f"{state >> shift & 0xFF:08b}"[::-1], 2) for shift in (16, 8, 0))


def air(row: Heard) -> bytes:
    """The link-layer packet: access address, ADV_IND or SCAN_RSP, CRC."""
    kind = 4 if row.payload is None else 0
    pdu = bytes([kind | 0x40 * row.address_type, 6 + len(row.data)]) + row.air_order + row.data
    return struct.pack("<I", 0x8E89BED6) + pdu + crc24(pdu)


def air_with_header(row: Heard, flags: int = 0x0C13) -> bytes:
    return struct.pack("<BbbBIH", 39, row.rssi, -100, 0, 0x8E89BED6, flags) + air(row)


def air_nordic(row: Heard, *, version: int = 3, flags: int = 1) -> bytes:
    packet = air(row)
    head = struct.pack("<BHB", 1, len(packet) + 10, 3) if version == 3 else bytes([1, 6, len(packet) + 10, version])
    packet_id = 2 if version == 3 else 6
    return head + struct.pack("<HB", 17, packet_id) + struct.pack("<BBBBHI", 10, flags, 39, -row.rssi, 0, 1234) + packet


def _h4(row: Heard) -> bytes:
    return event(row)


def _h4_with_direction(row: Heard) -> bytes:
    return b"\0\0\0\1" + event(row)


def _monitor(row: Heard) -> bytes:
    return struct.pack(">HH", 0, 3) + event(row)[1:]


FRAMINGS: dict[int, Callable[[Heard], bytes]] = {
    187: _h4,
    201: _h4_with_direction,
    254: _monitor,
    251: air,
    256: air_with_header,
    272: air_nordic,
    157: air_nordic,
}
"""LINKTYPE → how a row is framed under it."""

Packets = list[tuple[float, bytes]]


def pcap(packets: Packets, link: int = 201, *, nano: bool = False) -> bytes:
    file = io.BytesIO()
    writer = dpkt.pcap.Writer(file, linktype=link, nano=nano)
    for at, data in packets:
        writer.writepkt(data, at)
    return file.getvalue()


def pcap_big_endian(packets: Packets, link: int = 201) -> bytes:
    file = bytes(dpkt.pcap.FileHdr(snaplen=65535, linktype=link))
    for at, data in packets:
        seconds = int(at)
        micro = round((at - seconds) * 1e6)
        file += bytes(dpkt.pcap.PktHdr(tv_sec=seconds, tv_usec=micro, caplen=len(data), len=len(data))) + data
    return file


def pcapng(packets: Packets, link: int = 201) -> bytes:
    file = io.BytesIO()
    writer = dpkt.pcapng.Writer(file, linktype=link)
    for at, data in packets:
        writer.writepkt(data, at)
    return file.getvalue()


def pcapng_big_endian(packets: Packets, link: int = 201) -> bytes:
    png = dpkt.pcapng
    file = bytes(png.SectionHeaderBlock()) + bytes(png.InterfaceDescriptionBlock(linktype=link, snaplen=65535))
    for at, data in packets:
        ticks = round(at * 1e6)
        block = png.EnhancedPacketBlock(
            ts_high=ticks >> 32, ts_low=ticks & 0xFFFFFFFF, caplen=len(data), pkt_len=len(data), pkt_data=data
        )
        file += bytes(block)
    return file


def btsnoop(packets: Packets, link: int = 1002, flags: int = 3) -> bytes:
    """btsnoop by hand: bumble's writer knows no time but now, so it has a test of its own."""
    file = b"btsnoop\0" + struct.pack(">II", 1, link)
    for at, data in packets:
        stamp = round(at * 1e6) + 0x00DCDDB30F2F8000
        file += struct.pack(">IIIIq", len(data), len(data), flags, 0, stamp) + data
    return file


def hcidump(packets: Packets, way: int = 1) -> bytes:
    """What `hcidump -w` writes, by hand: no library writes it any more."""
    return b"".join(
        struct.pack("<HBBII", len(data), way, 0, int(at), round((at - int(at)) * 1e6)) + data for at, data in packets
    )


CONTAINERS: dict[str, Callable[[list[Heard]], bytes]] = {
    "btsnoop-h4": lambda rows: btsnoop([(row.at, event(row)) for row in rows]),
    "btsnoop-h1": lambda rows: btsnoop([(row.at, event(row)[1:]) for row in rows], 1001),
    "hcidump": lambda rows: hcidump([(row.at, event(row)) for row in rows]),
    "btsnoop-monitor": lambda rows: btsnoop([(row.at, event(row)[1:]) for row in rows], 2001, flags=0x00010003),
    "pcap-nano": lambda rows: pcap([(row.at, _h4(row)) for row in rows], 187, nano=True),
    "pcap-big": lambda rows: pcap_big_endian([(row.at, _h4_with_direction(row)) for row in rows]),
    "pcapng-big": lambda rows: pcapng_big_endian([(row.at, _h4_with_direction(row)) for row in rows]),
    **{
        f"{kind}-{link}": lambda rows, write=write, link=link, frame=frame: write(
            [(row.at, frame(row)) for row in rows], link
        )
        for kind, write in (("pcap", pcap), ("pcapng", pcapng))
        for link, frame in FRAMINGS.items()
    },
}
"""Every container and link type, written from the same rows."""


@dataclass
class Tools:
    """Wireshark's command line tools, where they are installed."""

    tshark: str
    editcap: str
    folder: Path
    _count: int = field(default=0)

    def fields(self, capture: bytes, *names: str, where: str = "") -> list[list[str]]:
        """What tshark reads in a capture: a row of texts per packet."""
        command = [self.tshark, "-n", "-r", str(self.keep(capture)), "-T", "fields"]
        command += ["-Y", where] if where else []
        for name in names:
            command += ["-e", name]
        out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        return [line.split("\t") for line in out.splitlines()]

    def convert(self, capture: bytes, form: str) -> bytes:
        """The capture in another file format, by editcap."""
        source = self.keep(capture)
        target = source.with_suffix(".converted")
        command = [self.editcap, "-F", form, str(source), str(target)]
        subprocess.run(command, check=True, capture_output=True)
        return target.read_bytes()

    def keep(self, capture: bytes) -> Path:
        self._count += 1
        path = self.folder / f"{self._count}.capture"
        path.write_bytes(capture)
        return path


@pytest.fixture
def wireshark(tmp_path: Path) -> Tools:
    """tshark and editcap; the test is skipped where they are not installed."""
    tshark, editcap = shutil.which("tshark"), shutil.which("editcap")
    if not tshark or not editcap:
        pytest.skip("tshark and editcap are not installed (apt-get install tshark)")
    return Tools(tshark, editcap, tmp_path)


@pytest.fixture(scope="session")
def making() -> SimpleNamespace:
    """The writers above, for the tests of this folder."""
    names = {name: value for name, value in globals().items() if not name.startswith("__")}
    return SimpleNamespace(**names)


@pytest.fixture(scope="session")
def rows() -> list[Heard]:
    """A mixed minute on the radio."""
    return heard()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that asks for `container` runs once per container and link type."""
    by_hand = any("container" in str(mark.args[0]) for mark in metafunc.definition.iter_markers("parametrize"))
    if "container" in metafunc.fixturenames and not by_hand:
        metafunc.parametrize("container", list(CONTAINERS))
