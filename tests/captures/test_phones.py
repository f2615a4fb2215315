"""What phones write: PacketLogger files, Android bug reports as zip and text; whole, damaged and hostile."""

from __future__ import annotations

import base64
import gzip
import io
import json
import shutil
import struct
import subprocess
import zipfile
import zlib
from pathlib import Path

import pytest

from bench import talks
from bluewatt.cli import main

Captured = pytest.CaptureFixture[str]
ROWS = list(talks.packets())
LOG = talks.btsnoop(ROWS)
TYPES = {(1, 0): 0x00, (4, 1): 0x01, (2, 0): 0x02, (2, 1): 0x03}
SNOOZ = {(1, 0): 0x20, (4, 1): 0x10, (2, 0): 0x21, (2, 1): 0x11}


def pklg(order: str = ">") -> bytes:
    file = struct.pack(order + "IIIB", 9 + 5, talks.START, 0, 0xFC) + b"hello"
    for number, (direction, packet) in enumerate(ROWS):
        at = talks.START + number // 100
        micro = number % 100 * 10_000
        file += struct.pack(order + "IIIB", 8 + len(packet), at, micro, TYPES[packet[0], direction]) + packet[1:]
    return file


def snooz(version: int = 2) -> bytes:
    records = b""
    for number, (direction, packet) in enumerate(ROWS):
        since, kind = (10_000 if number else 0), SNOOZ[packet[0], direction]
        lengths = (len(packet),) if version == 1 else (len(packet), len(packet))
        records += struct.pack("<" + "H" * len(lengths) + "IB", *lengths, since, kind) + packet[1:]
    last = talks.START * 1_000_000 + (len(ROWS) - 1) * 10_000
    return struct.pack("<BQ", version, last) + zlib.compress(records)


def report_text(version: int = 2, *, cut: int = 0) -> bytes:
    encoded = base64.b64encode(snooz(version)).decode()
    encoded = encoded[: len(encoded) - cut]
    body = "\n".join(encoded[at : at + 76] for at in range(0, len(encoded), 76))
    end = "" if cut else "\n--- END:BTSNOOP_LOG_SUMMARY ---\nmore\n"
    return f"== dumpstate: 2026\nBluetooth Status\n--- BEGIN:BTSNOOP_LOG_SUMMARY (x bytes in) ---\n{body}{end}".encode()


def zipped(files: dict[str, bytes], *, method: int = zipfile.ZIP_DEFLATED, stream: bool = False) -> bytes:
    class Pipe(io.RawIOBase):
        """A file that cannot be rewound, so that the sizes are written behind the files."""

        def __init__(self) -> None:
            self.written = b""

        def writable(self) -> bool:
            return True

        def write(self, data: object) -> int:
            self.written += bytes(data)  # type: ignore[call-overload]
            return len(bytes(data))  # type: ignore[call-overload]

    pipe, seekable = Pipe(), io.BytesIO()
    with zipfile.ZipFile(pipe if stream else seekable, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return pipe.written if stream else seekable.getvalue()


REPORT = {"version.txt": b"2.0", "bugreport.txt": b"nothing", "FS/data/misc/bluetooth/logs/btsnoop_hci.log": LOG}

WHOLE = {
    "btsnoop": LOG,
    "pklg": pklg(),
    "pklg of iOS": pklg("<"),
    "bug report": zipped(REPORT),
    "bug report, streamed": zipped(REPORT, stream=True),
    "bug report, stored": zipped(REPORT, method=zipfile.ZIP_STORED),
    "bug report with a gzipped log": zipped({"log.gz": gzip.compress(LOG)}),
    "bug report with a log in its text": zipped({"bugreport-x.txt": report_text()}),
    "text, version 1": report_text(1),
    "text, version 2": report_text(2),
    "text, gzipped": gzip.compress(report_text()),
    "pklg, gzipped": gzip.compress(pklg()),
}


def decoded(path: Path, capfd: Captured) -> list[tuple[object, ...]]:
    assert main(["decode", "--json", str(path)]) == 0
    lines = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    return [
        (line["at"], line["kind"], line.get("direction"), line["message"], line.get("register"), line.get("raw"))
        for line in lines
    ]


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("phones") / "plain.btsnoop"
    path.write_bytes(LOG)
    return path


@pytest.mark.parametrize("content", WHOLE.values(), ids=WHOLE)
def test_every_container_tells_the_same_conversation(
    content: bytes, expected: Path, tmp_path: Path, capfd: Captured
) -> None:  # fmt: skip
    path = tmp_path / "wrong.suffix"
    path.write_bytes(content)
    found = decoded(path, capfd)
    assert len(found) > 60
    assert found == decoded(expected, capfd)


@pytest.mark.parametrize("form", ["pcap", "pcapng", "nsecpcap"])
@pytest.mark.skipif(shutil.which("editcap") is None, reason="Wireshark's tools are not installed")
def test_what_wireshark_converts_tells_the_same(form: str, expected: Path, tmp_path: Path, capfd: Captured) -> None:
    path = tmp_path / "converted"
    subprocess.run(["editcap", "-F", form, str(expected), str(path)], check=True, capture_output=True)
    assert decoded(path, capfd) == decoded(expected, capfd)


def monitor() -> bytes:
    """As btmon writes it: the kind of packet in the flags, no packet indicator, notes about the adapter between."""
    opcodes = {(1, 0): 2, (4, 1): 3, (2, 0): 4, (2, 1): 5}
    file = b"btsnoop\0" + struct.pack(">II", 1, 2001)
    for number, (direction, packet) in enumerate([(9, b"\x09note"), *ROWS]):
        stamp = talks.EPOCH + round((talks.START + max(number - 1, 0) * 0.01) * 1e6)
        opcode = opcodes.get((packet[0], direction), 12)
        body = packet[1:]
        file += struct.pack(">IIIIq", len(body), len(body), opcode, 0, stamp) + body
    return file


def h1() -> bytes:
    """btsnoop without packet indicators: the flags tell commands and events from data."""
    file = b"btsnoop\0" + struct.pack(">II", 1, 1001)
    for number, (direction, packet) in enumerate(ROWS):
        stamp = talks.EPOCH + round((talks.START + number * 0.01) * 1e6)
        flags, body = direction | (0 if packet[0] == 2 else 2), packet[1:]
        file += struct.pack(">IIIIq", len(body), len(body), flags, 0, stamp) + body
    return file


@pytest.mark.parametrize("content", [monitor(), h1()], ids=["monitor", "H1"])
def test_the_other_kinds_of_btsnoop_tell_the_same(
    content: bytes, expected: Path, tmp_path: Path, capfd: Captured
) -> None:  # fmt: skip
    path = tmp_path / "other"
    path.write_bytes(content)
    assert decoded(path, capfd) == decoded(expected, capfd)


@pytest.mark.parametrize("order", "><")
@pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")
def test_tshark_reads_the_packetlogger_file_alike(order: str, tmp_path: Path) -> None:
    path = tmp_path / "x.pklg"
    path.write_bytes(pklg(order))
    command = ["tshark", "-r", str(path), "-Y", "btatt", "-T", "fields", "-e", "frame.time_epoch"]
    shown = subprocess.run(command, capture_output=True, check=True)
    times = [float(line) for line in shown.stdout.split()]
    assert len(times) == sum(packet[0] == 2 for _, packet in ROWS)
    assert times[0] == pytest.approx(talks.START + 0.01)


def bomb() -> bytes:
    return zipped({"bugreport.txt": bytes(100 << 20)})


BAD = {
    "cut pklg": (pklg()[:-5], "ends in the middle"),
    "zip in a zip": (zipped({"inner.zip": zipped(REPORT)}), "zip inside a zip"),
    "zip without a log": (zipped({"a.txt": b"hello", "b.bin": bytes(99)}), "no Bluetooth log"),
    "cut zip": (zipped(REPORT, method=zipfile.ZIP_STORED)[:1500], "cut"),
    "damaged zip": (zipped(REPORT)[:400] + b"\xff" * 40 + zipped(REPORT)[440:], ""),
    "bomb": (bomb(), "bomb"),
    "log of an unknown version": (b"--- BEGIN:BTSNOOP_LOG_SUMMARY\n" + base64.b64encode(b"\x09" * 40), "unknown kind"),
    "zip of zeros": (b"PK\x03\x04" + bytes(60), ""),
    "huge length": (struct.pack(">IIIB", 0x3FFFF, 1, 0, 1) + bytes(200), ""),
}


@pytest.mark.parametrize(("content", "hint"), BAD.values(), ids=BAD)
def test_bad_input_is_code_7_with_a_reason(content: bytes, hint: str, tmp_path: Path, capfd: Captured) -> None:
    path = tmp_path / "bad"
    path.write_bytes(content)
    assert main(["decode", "--json", str(path)]) == 7
    told = capfd.readouterr().err
    assert hint in told
    assert str(path) in told
    assert "Traceback" not in told


def test_a_cut_log_in_a_report_gives_what_stood_whole(tmp_path: Path, capfd: Captured) -> None:
    path = tmp_path / "cut.txt"
    path.write_bytes(report_text(cut=200))
    assert main(["decode", "--json", str(path)]) == 0
    shown = capfd.readouterr()
    assert "cut" in shown.err
    assert len(shown.out.splitlines()) > 20


def test_a_lying_length_costs_one_packet(tmp_path: Path, capfd: Captured) -> None:
    whole = pklg()
    place = 13 + 5 + 13 + len(ROWS[0][1]) - 1
    path = tmp_path / "lie.pklg"
    path.write_bytes(whole[:place] + b"\x7f\xff\xff\xff" + whole[place + 4 :])
    assert main(["decode", "--json", str(path)]) == 0
    shown = capfd.readouterr()
    assert f"at byte {place}" in shown.err
    assert len(shown.out.splitlines()) > 60
