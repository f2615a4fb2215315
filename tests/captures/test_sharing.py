"""Captures to be shared: redacted and still decodable, reported, compared, explained; and recorded by ourselves."""

from __future__ import annotations

import io
import json
import re
import shutil
import struct
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from bench import talks
from bluewatt import build_advertisement
from bluewatt.cli import main
from bluewatt.exports.btsnoop import AirRecorder
from bluewatt.exports.charts.series import Series, UnknownRegister
from bluewatt.exports.explanation.message import explain_line
from bluewatt.exports.report.guesses import guesses
from bluewatt.model.dialogue.conversation import Attribute, Line
from bluewatt.model.dialogue.json_objects import LineWriter
from bluewatt.model.dialogue.sentences import sentence
from bluewatt.model.identity import Device
from bluewatt.model.reading import ADVERTISEMENT, Frame
from bluewatt.tables.gatt import PIN_CODE, PUK_CODE
from bluewatt.tables.records.battery_monitor import BatteryMonitor
from bluewatt.transports.capture.frames import read_frames
from bluewatt.wire.containers.btsnoop_writer import FILE_START
from bluewatt.wire.containers.link_trace import LinkTrace
from bluewatt.wire.victronconnect.events import Role

CAPTURE = "smartshunt_mtu23_sessions_00-09.btsnoop"
ADDRESS = b"\x55\x44\x33\x22\x11\xc0"
Captured = pytest.CaptureFixture[str]


def report(data: bytes, event_type: int = 0) -> tuple[int, bytes]:
    body = b"\x02\x01" + bytes([event_type]) + b"\x01" + ADDRESS + bytes([len(data)]) + data + b"\xc4"
    return 1, b"\x04\x3e" + bytes([len(body)]) + body


def advertised(nonce: int) -> tuple[int, bytes]:
    record = BatteryMonitor(battery_voltage=12.5 + nonce / 100, state_of_charge=88.0, battery_current=1.0)
    payload = build_advertisement(record, product_id=0xA389, key=talks.KEY, nonce=nonce)
    return report(b"\x02\x01\x06" + bytes([len(payload) + 3, 0xFF]) + b"\xe1\x02" + payload)


NAME = b"My boat HQ2101ABCDE"
PAIRING = (1, b"\x02" + struct.pack("<HHHH", 0x2040, 21, 17, 6) + b"\x06" + bytes(range(100, 116)))
START_ENCRYPTION = (0, b"\x01\x19\x20\x1c" + bytes(range(180, 208)))


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    """A whole evening: advertisements before and behind a connection, the name in a scan response, pairing."""
    talked = list(talks.packets(mtu=77, fragment=27))
    stranger = [(1, talks.connected(0x50, b"\x99\x88\x77\x66\x55\xc4"))]
    stranger += talks.acl(talks.Spoken(talks.DEVICE, b"\x1b\x2a\x00heart rate 61"), 0x50)
    stranger += [(1, talks.disconnected(0x50))]
    rows = [advertised(nonce) for nonce in range(20)]
    rows += [report(bytes([len(NAME) + 1, 9]) + NAME, 4), START_ENCRYPTION, talked[0], PAIRING, *talked[1:], *stranger]
    rows += [advertised(nonce) for nonce in range(20, 40)]
    path = tmp_path / "evening.btsnoop"
    path.write_bytes(talks.btsnoop(rows))
    return path


def lines_of(path: Path, capfd: Captured, *options: str) -> list[dict[str, object]]:
    capfd.readouterr()
    assert main(["decode", "--json", str(path), *options]) == 0
    return [json.loads(line) for line in capfd.readouterr().out.splitlines()]


def values_of(lines: list[dict[str, object]]) -> list[object]:
    return [line["values"] for line in lines if line["kind"] == "advertisement"]


def test_a_redacted_capture_names_nobody_and_still_decodes(capture: Path, tmp_path: Path, capfd: Captured) -> None:
    shared = tmp_path / "shared.btsnoop"
    assert main(["decode", str(capture), "--redact", str(shared)]) == 0
    told = capfd.readouterr().err
    substitute = re.search(r"--key (\S+=[0-9a-f]{32})", told)
    assert substitute
    left_out = "left out: 3 packets of connections with other devices, 2 packets of pairing, commands and events\n"
    assert told.endswith(left_out)
    written = shared.read_bytes()
    secrets = (
        b"heart rate",
        b"\x99\x88\x77\x66\x55\xc4",
        talks.KEY,
        ADDRESS,
        ADDRESS[::-1],
        talks.SERIAL,
        talks.NAME,
        b"Bow battery",
        NAME,
        b"HQ2101",
    )
    assert [secret for secret in secrets if secret in written] == []
    assert bytes(range(100, 116)) not in written
    assert bytes(range(180, 208)) not in written
    before, after = lines_of(capture, capfd), lines_of(shared, capfd, "--key", substitute[1])
    # The substitute key opens the advertisements before the connection as well.
    assert len(values_of(after)) == 40
    assert values_of(after)[20:] == values_of(before)[-20:]
    talked = [[line for line in lines if line["kind"] in ("vreg", "control")] for lines in (before, after)]
    assert [line["message"] for line in talked[1]] == [line["message"] for line in talked[0]]
    volts = [[line["value"] for line in lines if line.get("key") == "battery_voltage"] for lines in talked]
    assert volts[0] == volts[1]
    assert len(volts[0]) > 50
    names = {line["value"] for line in talked[1] if line.get("key") in ("custom_name", "serial_number")}
    assert len(names) == 3
    assert len({line["device"]["address"] for line in after}) == 1  # type: ignore[index]


PIN_HANDLE, NAME_HANDLE, UNDISCOVERED = b"\x11\x00", b"\x03\x00", b"\x99\x00"
LONG_NAME = b"Anna and Ben's houseboat, aft battery"


def test_values_in_parts_and_of_unknown_handles_are_redacted_too(tmp_path: Path, capfd: Captured) -> None:
    pin = b"987654"
    declared = b"\x10\x08" + PIN_HANDLE + bytes.fromhex(PIN_CODE.replace("-", ""))[::-1]
    said = [
        (0, b"\x08\x01\x00\xff\xff\x03\x28"), (1, b"\x09\x07\x02\x00\x02" + NAME_HANDLE + b"\x00\x2a"),
        (0, b"\x08\x04\x00\xff\xff\x03\x28"), (1, b"\x09\x15\x10\x00" + declared[1:]),
        (0, b"\x0a" + NAME_HANDLE), (1, b"\x0b" + LONG_NAME[:22]),
        (0, b"\x0c" + NAME_HANDLE + b"\x16\x00"), (1, b"\x0d" + LONG_NAME[22:]),
        (0, b"\x16" + PIN_HANDLE + b"\x00\x00" + pin), (1, b"\x17" + PIN_HANDLE + b"\x00\x00" + pin), (0, b"\x18\x01"),
        (0, b"\x0a" + UNDISCOVERED), (1, b"\x0bin the cellar"), (0, b"\x12" + UNDISCOVERED + pin),
        (1, b"\x1b\x99\x00" + talks.KEY[::-1]),
    ]  # fmt: skip
    first, *rest = talks.packets()
    rows = [first, *(row for side, data in said for row in talks.acl(talks.Spoken(side, data), 0x40)), *rest]
    path, shared = tmp_path / "parts.btsnoop", tmp_path / "shared.btsnoop"
    path.write_bytes(talks.btsnoop(rows))
    assert main(["decode", str(path), "--redact", str(shared)]) == 0
    written = shared.read_bytes()
    secrets = (b"Anna", b"houseboat", b"battery", pin, b"cellar", talks.KEY[::-1])
    assert [secret for secret in secrets if secret in written] == []
    names = [line["value"] for line in lines_of(shared, capfd) if line.get("key") == "device_name"]
    assert names == ["Device 1".ljust(len(LONG_NAME))]


def test_redacting_twice_changes_nothing_that_matters(capture: Path, tmp_path: Path, capfd: Captured) -> None:
    once, twice = tmp_path / "once", tmp_path / "twice"
    assert main(["decode", str(capture), "--redact", str(once)]) == 0
    assert main(["decode", str(once), "--redact", str(twice)]) == 0
    first, second = lines_of(once, capfd), lines_of(twice, capfd)
    assert [line.get("message") for line in first] == [line.get("message") for line in second]


def test_the_real_capture_redacted_says_the_same(shared: Path, tmp_path: Path, capfd: Captured) -> None:
    path, copy = shared / "captures" / CAPTURE, tmp_path / "copy.btsnoop"
    assert main(["decode", str(path), "--redact", str(copy)]) == 0
    assert b"HQ20234NXYN" not in copy.read_bytes()
    assert bytes.fromhex("fdd4500f6c1b")[::-1] not in copy.read_bytes()
    counts = [
        Counter((line["kind"], line.get("message")) for line in lines_of(one, capfd) if "connection" in line)
        for one in (path, copy)
    ]
    assert counts[0] == counts[1]
    if shutil.which("tshark"):
        shown = [
            subprocess.run(["tshark", "-r", str(one), "-Y", "btatt"], capture_output=True, check=True).stdout
            for one in (path, copy)
        ]
        assert shown[1].count(b"Malformed") == shown[0].count(b"Malformed")
        assert len(shown[1].splitlines()) == len(shown[0].splitlines()) > 1800


@pytest.mark.parametrize(
    "options", [["--redact"], ["--report"], ["--json", "--output"], ["--format", "parquet", "--output"]]
)
def test_the_file_that_is_read_is_never_written(capture: Path, capfd: Captured, options: list[str]) -> None:
    before = capture.read_bytes()
    assert main(["decode", str(capture), *options, str(capture)]) == 7
    assert "is the file that is read" in capfd.readouterr().err
    assert capture.read_bytes() == before


def test_what_cannot_be_redacted_says_so(tmp_path: Path, capfd: Captured) -> None:
    air = tmp_path / "air.pcap"
    packet = struct.pack("<I", 0x8E89BED6) + bytes([0x40, 9]) + ADDRESS + b"\x02\x01\x06" + bytes(3)
    head = struct.pack("<IHHIIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 251)
    air.write_bytes(head + struct.pack("<IIII", 1, 0, len(packet), len(packet)) + packet)
    assert main(["decode", str(air), "--redact", str(tmp_path / "out")]) == 7
    assert "sniffer" in capfd.readouterr().err
    assert main(["decode", "-", "--redact", str(tmp_path / "out")]) == 7


def test_parquet_has_the_values_of_both(capture: Path, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    out = tmp_path / "evening.parquet"
    options = ["--format", "parquet", "-o", str(out), "--key", talks.KEY.hex()]
    assert main(["decode", str(capture), *options]) == 0
    assert parquet.read_table(out).num_rows == 40
    rows = parquet.read_table(tmp_path / "evening.values.parquet").to_pylist()
    volts = [row["value"] for row in rows if row["key"] == "battery_voltage"]
    assert volts[:3] == [13.27, 12.0, 12.01]
    secret = next(row for row in rows if row["register"] == talks.KEY_REGISTER)
    assert (secret["raw"], secret["value"], secret["text"]) == (None, None, None)


def test_the_report_holds_everything_and_needs_nothing(capture: Path, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    assert main(["decode", str(capture), "--report", str(page)]) == 0
    html = page.read_text("utf-8")
    for wanted in ("<svg", "Timeline", "Battery voltage", "0x7777", "01 02 03", "seen once"):
        assert wanted in html
    assert not re.search(r"<script|https?://|src=|@import|url\(", html)
    assert talks.KEY.hex() not in html.replace(" ", "")


def test_the_report_escapes_names(tmp_path: Path) -> None:
    name = b"<img src=x>"
    path, page = tmp_path / "x.btsnoop", tmp_path / "x.html"
    path.write_bytes(talks.btsnoop([report(bytes([len(name) + 1, 9]) + name, 4), *(advertised(n) for n in range(20))]))
    main(["decode", str(path), "--report", str(page), "--key", talks.KEY.hex()])
    html = page.read_text("utf-8")
    assert "&lt;img src=x&gt;" in html
    assert "<img" not in html


def unknown(contents: list[bytes], step: float = 1.0) -> UnknownRegister:
    made = UnknownRegister(0x7777, 3)
    for number, raw in enumerate(contents):
        made.add(100 + number * step, raw)
    return made


def test_guesses() -> None:
    volts = Series("battery_voltage", "V")
    for number in range(20):
        volts.add(100 + number, 12.0 + number / 10)
    alike = unknown([(1200 + 10 * number).to_bytes(2, "little") for number in range(20)])
    assert any("looks like battery_voltage" in guess for guess in guesses(alike, [volts]))
    counting = unknown([(7 * number).to_bytes(4, "little") for number in range(20)])
    assert any("counter" in guess and "7 a second" in guess for guess in guesses(counting, [volts]))
    assert next(guesses(unknown([b"\x05"] * 4), [])) == "constant"
    assert any("text" in guess for guess in guesses(unknown([b"hello\0\0"]), []))
    assert any("not available" in guess for guess in guesses(unknown([b"\xff\xff"] * 2), []))
    assert any("record" in guess for guess in guesses(unknown([b"\x01\x02\x03", b"\x02"]), []))
    wild = unknown([bytes([number * 97 % 256, number * 31 % 256]) for number in range(20)])
    assert not any("looks like" in guess for guess in guesses(wild, [volts]))


def test_diff_tells_what_a_setting_does(tmp_path: Path, capfd: Captured) -> None:
    paths = []
    for number, content in enumerate((b"\x01\x02\x03", b"\x01\x02\x04")):
        whole = talks.btsnoop(list(talks.packets(mtu=247)))
        paths.append(tmp_path / f"{number}.btsnoop")
        paths[-1].write_bytes(whole.replace(b"\x19\x77\x77\x43\x01\x02\x03", b"\x19\x77\x77\x43" + content))
    capfd.readouterr()
    assert main(["diff", *map(str, paths), "--json"]) == 0
    found = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert [(line["register"], line["before"]["raw"], line["after"]["raw"]) for line in found] == [
        ("0x7777", "010203", "010204")
    ]
    assert main(["diff", *map(str, paths)]) == 0
    assert "0x7777" in capfd.readouterr().out
    assert main(["diff", str(paths[0]), str(paths[0])]) == 0
    assert "No setting differs." in capfd.readouterr().out
    assert main(["diff", str(paths[0]), "nowhere"]) == 7


def test_one_message_byte_by_byte(capture: Path, capfd: Captured) -> None:
    lines = lines_of(capture, capfd)
    voltage = next(line for line in lines if line.get("key") == "battery_voltage" and line["kind"] == "vreg")
    assert main(["decode", str(capture), "--explain", str(voltage["number"])]) == 0
    shown = capfd.readouterr().out
    assert "19 ed 8d" in shown
    assert "register 0xED8D battery_voltage" in shown
    assert "13.27 V" in shown
    assert talks.KEY.hex(" ") not in shown
    secret = next(line for line in lines if line.get("register") == "0xEC65")
    assert main(["decode", str(capture), "--explain", str(secret["number"])]) == 0
    assert talks.KEY.hex(" ") not in capfd.readouterr().out
    for line in lines:
        if line["kind"] == "vreg":
            assert main(["decode", str(capture), "--explain", str(line["number"])]) == 0
    assert main(["decode", str(capture), "--explain", "99999"]) == 7


@pytest.mark.parametrize("uuid", [PIN_CODE, PUK_CODE])
def test_a_pin_is_shown_nowhere(uuid: str) -> None:
    device = Device("C0:11:22:33:44:55", "C0:11:22:33:44:55")
    pin = b"\x01\x02\x03\x04\x05\x06\x07\x08\x39\x30\x00\x00"
    line = Line(1, 1.0, 1, device, None, Role.CLIENT, "gatt", "write", Attribute(uuid, 0x18, pin), pin)
    shown = [*explain_line(line), sentence(line), LineWriter("x").line(line).decode()]
    assert not [text for text in shown if pin.hex() in text.replace(" ", "")]
    assert pin.hex() in LineWriter("x", reveal=True).line(line).decode()
    assert any(pin.hex(" ") in text for text in explain_line(line, reveal=True))


def test_what_the_air_recorder_writes_is_what_was_heard(tmp_path: Path) -> None:
    out = io.BytesIO(FILE_START)
    out.seek(0, io.SEEK_END)
    recorder = AirRecorder(out.write)
    heard = [
        Frame(talks.START + number, "ble:", ADVERTISEMENT, "C0:11:22:33:44:55", bytes([0x10, number]), -60, "x")
        for number in range(9)
    ]
    for frame in heard:
        recorder.put(frame)
    path = tmp_path / "air.btsnoop"
    path.write_bytes(out.getvalue())
    found = list(read_frames(path, origin="ble:"))
    assert found == heard
    assert recorder.count == 9


def test_a_recorded_link_reads_as_a_conversation(tmp_path: Path, capfd: Captured) -> None:
    out, clock = io.BytesIO(FILE_START), iter(range(talks.START, talks.START + 100_000))
    out.seek(0, io.SEEK_END)
    trace = LinkTrace(out.write, lambda: float(next(clock)))
    trace.connected("C0:11:22:33:44:55", {handle: part.value for part, handle in talks.HANDLES.items()}, 77)
    for spoken in talks.talk(mtu=77, discovery=False):
        handle = int.from_bytes(spoken.data[1:3], "little")
        if spoken.data[0] == 0x52:
            trace.wrote(handle, spoken.data[3:], response=False)
        elif spoken.data[0] == 0x1B:
            trace.notified(handle, spoken.data[3:])
    trace.disconnected()
    trace.disconnected()
    path = tmp_path / "link.btsnoop"
    path.write_bytes(out.getvalue())
    lines = lines_of(path, capfd)
    assert sum(line["kind"] == "vreg" for line in lines) > 60
    assert [line["message"] for line in lines if line["kind"] == "link"] == ["connected", "mtu", "disconnected"]
    assert not [line for line in lines if line["kind"] == "undecoded"]
