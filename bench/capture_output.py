"""A capture of 200,000 advertisements to JSON Lines and to Parquet, as whole commands, beside tshark."""

from __future__ import annotations

import shutil
import statistics
import struct
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from bench import Row, Unmeasurable, bench, command_cost
from bluewatt.model.reading import Frame
from bluewatt.services.simulator import Site, frames
from bluewatt.tables.gatt import COMPANY_ID
from bluewatt.wire.containers.btsnoop import EPOCH, MAGIC, RECORD

COMMAND = str(Path(sys.executable).with_name("bluewatt"))
RIVAL = "tshark"
FIELDS = ("frame.time_epoch", "bthci_evt.bd_addr", "bthci_evt.rssi", "btcommon.eir_ad.entry.data")
"""When, who, how strong, and the manufacturer data, still encrypted: the least that can be told of an advertisement."""

COUNT = 200_000
LARGE = 8 * COUNT
DEVICES = 30
SEED = 7
MEGABYTES = 150
"""What the memory may reach, whatever the size of the file."""


class Capture(NamedTuple):
    """A capture file and the keys of its devices."""

    path: str
    keys: str


def packet(frame: Frame) -> bytes:
    """A frame as the HCI event (H4) a host receives: one legacy advertising report, flags and manufacturer data."""
    manufacturer = COMPANY_ID.to_bytes(2, "little") + frame.payload
    data = b"\x02\x01\x06" + bytes([len(manufacturer) + 1, 0xFF]) + manufacturer
    address = bytes.fromhex(frame.address.replace(":", ""))[::-1]
    report = b"\x02\x01\x00\x01" + address + bytes([len(data)]) + data + struct.pack("b", frame.rssi or 0)
    return bytes([0x04, 0x3E, len(report)]) + report


def heard(site: Site, *, copies: bool) -> Iterator[Frame]:
    """What is heard beside a site: each advertisement as often as it is sent, or once."""
    last: dict[str, bytes] = {}
    for frame in frames(site, site.now, sys.maxsize):
        if copies or last.get(frame.address) != frame.payload:
            last[frame.address] = frame.payload
            yield frame


def write_btsnoop(path: Path, source: Iterable[Frame], count: int, *, repeats: int = 1) -> None:
    """The first `count` frames as a btsnoop file, `repeats` times over, each time later."""
    records = [(frame.at, packet(frame)) for frame, _ in zip(source, range(count), strict=False)]
    span = records[-1][0] - records[0][0] + 60
    with path.open("wb") as file:
        file.write(MAGIC + struct.pack(">II", 1, 1002))
        for repeat in range(repeats):
            for at, data in records:
                stamp = EPOCH + round((at + repeat * span) * 1e6)
                file.write(RECORD.pack(len(data), len(data), 3, 0, stamp) + data)


def capture(*, copies: bool, repeats: int = 1) -> Capture:
    """The capture of a simulated site; made once, kept in the folder for temporary files."""
    folder = Path(tempfile.gettempdir()) / "bluewatt-bench"
    name = f"{SEED}-{DEVICES}-{COUNT * repeats}-{'copies' if copies else 'unique'}"
    path, keys = folder / f"{name}.btsnoop", folder / f"{name}.toml"
    if not path.exists():
        folder.mkdir(exist_ok=True)
        site = Site(SEED, devices=DEVICES)
        keys.write_text("".join(f'"{device.address}" = "{device.key.hex()}"\n' for device in site.devices))
        keys.chmod(0o600)
        write_btsnoop(path.with_suffix(".part"), heard(site, copies=copies), COUNT, repeats=repeats)
        path.with_suffix(".part").replace(path)
    return Capture(str(path), str(keys))


def ours(made: Capture, form: str, folder: str) -> list[str]:
    """Our command for a capture."""
    output = ["--force", "--output", str(Path(folder) / "out.parquet")] if form == "parquet" else []
    return [COMMAND, "decode", "--format", form, *output, "--keys", made.keys, made.path]


def theirs(made: Capture, form: str) -> list[str]:
    """tshark's."""
    fields = [word for field in FIELDS for word in ("-e", field)] if form == "fields" else []
    return [RIVAL, "-r", made.path, "-T", form, *fields]


class Rates(NamedTuple):
    """Advertisements per second of a command."""

    wall: float
    processor: float


def rates(*commands: list[str], runs: int) -> list[Rates]:
    """The rates of each command. They take turns, so that a busy moment of the machine hits all."""
    rounds = [[command_cost(*command) for command in commands] for _ in range(1 + runs)][1:]
    return [
        Rates(
            COUNT / statistics.median(cost.seconds for cost in costs),
            COUNT / statistics.median(cost.processor for cost in costs),
        )
        for costs in zip(*rounds, strict=True)
    ]


@bench
def capture_output() -> Iterator[Row]:
    """Advertisements per second and memory, every advertisement another one, and with the copies devices send."""
    with tempfile.TemporaryDirectory() as folder:
        yield from memory(folder)
        if shutil.which(RIVAL) is None:
            raise Unmeasurable(f"{RIVAL} is not installed; the times of `bluewatt decode` say nothing alone")
        for kind in ("unique", "copies"):
            made = capture(copies=kind == "copies")
            lines, columns = ours(made, "json", folder), ours(made, "parquet", folder)
            ours_slow, theirs_slow = rates(lines, theirs(made, "json"), runs=3)
            quick, quickest, print_fields = rates(lines, columns, theirs(made, "fields"), runs=7)
            yield from compared(f"200k to JSON Lines, {kind}", ours_slow, theirs_slow, "json", 4)
            yield from compared(f"200k to JSON Lines, {kind}", quick, print_fields, "fields", 1)
            yield from compared(f"200k to Parquet, {kind}", quickest, print_fields, "fields", 5)


def compared(name: str, ours: Rates, theirs: Rates, form: str, goal: float) -> Iterator[Row]:
    """Rows by the clock and by the processor's time."""
    rival = f"{RIVAL} -T {form}"
    yield Row(name=name, ours=ours.wall, theirs=theirs.wall, unit="/s", rival=rival, goal=goal)
    yield Row(name="  by processor time", ours=ours.processor, theirs=theirs.processor, unit="/s", rival=rival)


def memory(folder: str) -> Iterator[Row]:
    """Resident memory at its peak, for a file and for one eight times as large."""
    for form in ("json", "parquet"):
        for repeats in (1, LARGE // COUNT):
            peak = command_cost(*ours(capture(copies=True, repeats=repeats), form, folder)).megabytes
            yield Row(name=f"memory: {repeats * COUNT:,} to {form}", ours=peak, unit="MB", goal=MEGABYTES)
