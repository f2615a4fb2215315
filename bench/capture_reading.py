"""Reading a capture of 200,000 advertisements: packets, frames and columns, before anything is decrypted."""

from __future__ import annotations

import struct
import tempfile
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

from bench import Row, bench, rate
from bench.samples import battery_monitor, solar_charger
from bluewatt.tables.gatt import COMPANY_ID
from bluewatt.transports.capture.files import BLOCK
from bluewatt.transports.capture.frames import read_frames
from bluewatt.wire.containers import read_packets
from bluewatt.wire.containers.columns import BLOCK as COLUMN_BLOCK
from bluewatt.wire.containers.columns import read_columns

COUNT = 200_000
START = 0x00E03AB44A676000
"""The btsnoop time stamp of 2000-01-01."""


def write_capture(path: Path, count: int = COUNT) -> None:
    """A btsnoop file (H4) of legacy advertising reports from thirty-two devices, a millisecond apart."""
    heard = battery_monitor(1000) + solar_charger(1000)
    with path.open("wb") as file:
        file.write(b"btsnoop\0" + struct.pack(">II", 1, 1002))
        for number in range(count):
            manufacturer = COMPANY_ID.to_bytes(2, "little") + heard[number % len(heard)]
            data = b"\x02\x01\x06" + bytes([len(manufacturer) + 1, 0xFF]) + manufacturer
            report = bytes([0x02, 1, 0, 1, number % 32]) + b"\x01\x02\x03\x04\xc2" + bytes([len(data)]) + data + b"\xc4"
            packet = bytes([0x04, 0x3E, len(report)]) + report
            file.write(struct.pack(">IIIIq", len(packet), len(packet), 3, 0, START + number * 1000) + packet)


def blocks(path: Path, size: int) -> Iterator[bytes]:
    with path.open("rb") as file:
        while block := file.read(size):
            yield block


def peak(path: Path) -> float:
    """Megabytes of Python objects at the peak of reading frames."""
    tracemalloc.start()
    try:
        for _ in read_frames(path):
            pass
        return tracemalloc.get_traced_memory()[1] / 2**20
    finally:
        tracemalloc.stop()


@bench
def capture_reading() -> Iterator[Row]:
    """Advertisements per second out of a btsnoop file, by each of the three ways to read it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "capture.btsnoop"
        write_capture(path)
        ways = {
            "packets": (lambda: sum(len(packets) for packets in read_packets(blocks(path, BLOCK))), None),
            "frames": (lambda: sum(1 for _ in read_frames(path)), 600_000),
            "columns": (lambda: sum(len(part.at) for part in read_columns(blocks(path, COLUMN_BLOCK))), 3_000_000),
        }
        for name, (read, goal) in ways.items():
            if read() != COUNT:
                raise AssertionError(f"{name}: {read()} of {COUNT} were read")
            yield Row(name=f"capture: {name}", ours=rate(read, items=COUNT, runs=5), unit="/s", goal=goal)
        yield Row(name="capture: memory of reading frames", ours=peak(path), unit="MB", goal=5)
