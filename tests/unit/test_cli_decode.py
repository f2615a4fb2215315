"""`bluewatt decode`: what it explains, what it writes, and what it says of bad input."""

from __future__ import annotations

import csv
import gzip
import io
import json
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from bluewatt import build_advertisement, decode_advertisement
from bluewatt.cli import main
from bluewatt.model.reading import ADVERTISEMENT, Frame
from bluewatt.services.simulator import Site, frames
from bluewatt.tables.enums import AlarmReason, AuxMode
from bluewatt.tables.records.ac_charger import AcCharger
from bluewatt.tables.records.battery_monitor import BatteryMonitor
from bluewatt.transports.capture.files import LONGEST_LINE, split_lines
from bluewatt.transports.capture.recording import encode_frame
from bluewatt.wire.instant_readout.cipher import Key
from tests.making.keys import write_keys_of
from tests.making.recordings import write_recording

COMMAND = Path(sys.executable).with_name("bluewatt")
Captured = pytest.CaptureFixture[str]

KEY = Key(bytes.fromhex("00112233445566778899aabbccddeeff"))
ADDRESS = "AA:BB:CC:DD:EE:FF"
RECORD = BatteryMonitor(
    time_to_go=1000, battery_voltage=12.53, alarm_reason=AlarmReason(3), starter_voltage=12.6,
    aux_mode=AuxMode.STARTER_VOLTAGE, battery_current=-4.123, consumed_charge=-12.3, state_of_charge=87.5,
)  # fmt: skip
DATA = build_advertisement(RECORD, product_id=0xA389, key=KEY, nonce=7)
SITE_SECONDS = 8


pytestmark = pytest.mark.usefixtures("no_keys_of_this_machine")


@pytest.fixture(scope="module")
def site() -> Site:
    return Site(3, devices=8)


@pytest.fixture(scope="module")
def heard(site: Site) -> list[Frame]:
    return list(frames(site, site.now, SITE_SECONDS))


@pytest.fixture
def keys(site: Site, tmp_path: Path) -> str:
    return str(write_keys_of(site, tmp_path / "keys.toml"))


@pytest.fixture
def capture(heard: list[Frame], tmp_path: Path) -> Path:
    """A btsnoop file (H4) of what the site sent."""
    path = tmp_path / "site.btsnoop"
    packets = [b"btsnoop\0" + struct.pack(">II", 1, 1002)]
    for frame in heard:
        data = b"\x02\x01\x06" + bytes([len(frame.payload) + 3, 0xFF]) + b"\xe1\x02" + frame.payload
        address = bytes.fromhex(frame.address.replace(":", ""))[::-1]
        report = b"\x02\x01\x00\x01" + address + bytes([len(data)]) + data + struct.pack("b", frame.rssi or 0)
        packet = bytes([0x04, 0x3E, len(report)]) + report
        stamp = 0x00E03AB44A676000 + round((frame.at - 946684800) * 1e6)
        packets.append(struct.pack(">IIIIq", len(packet), len(packet), 3, 0, stamp) + packet)
    path.write_bytes(b"".join(packets))
    return path


def test_one_advertisement_in_words(capfd: Captured) -> None:
    assert main(["decode", DATA.hex(), "--key", KEY.hex()]) == 0
    shown = capfd.readouterr()
    assert shown.err == ""
    lines = shown.out.splitlines()
    assert lines[0] == "SmartShunt 500A/50mV, product id 0xA389"
    assert "nonce 0x0007" in shown.out
    assert [line.split() for line in lines if line.startswith("Battery voltage")] == [
        ["Battery", "voltage", "12.53", "V", "16-31", "0x04E5", "battery_voltage"]
    ]
    assert any("16 h 40 min" in line for line in lines)
    assert any("Low voltage" in line or "low" in line.lower() for line in lines)
    assert "proven by bytes of a real device" in shown.out
    assert KEY.hex() not in shown.out


@pytest.mark.parametrize(
    "arguments",
    [[DATA.hex()], ["e102" + DATA.hex()], [DATA.hex(" ")], DATA.hex(" ").split(), [f"  {ADDRESS}  Data: {DATA.hex()}"]],
    ids=["hex", "company", "spaces", "words", "line"],
)
def test_every_spelling_gives_the_same_values(arguments: list[str], capfd: Captured) -> None:
    assert main(["decode", "--json", "--key", f"{ADDRESS}={KEY.hex()}", *arguments]) == 0
    read = json.loads(capfd.readouterr().out)
    assert read["values"]["battery_voltage"] == 12.53
    assert read["values"]["alarm_reason"] == decode_advertisement(DATA, KEY).alarm_reason.keys  # type: ignore[attr-defined]
    assert read["kind"] == "advertisement"


def test_the_key_may_come_from_the_environment(monkeypatch: pytest.MonkeyPatch, capfd: Captured) -> None:
    monkeypatch.setenv("BLUEWATT_KEYS", f"{'12' * 16},{ADDRESS}={KEY.hex()}")
    assert main(["decode", DATA.hex(), "--json"]) == 0
    assert json.loads(capfd.readouterr().out)["values"]["state_of_charge"] == 87.5


def cut(length: int) -> str:
    return DATA[:length].hex()


WRONG_CONTENT = bytes([KEY[0]]) + bytes(15)
"""A key whose first byte fits: only the content tells that it is wrong."""

BAD = {
    "no key": ([DATA.hex()], 5, "KeyMissing"),
    "a key of another device": ([DATA.hex(), "--key", "ff" * 16], 5, "KeyMismatch"),
    "a key whose first byte fits": ([DATA.hex(), "--key", WRONG_CONTENT.hex()], 5, "KeyMismatch"),
    "a product without a record": (["10025ba0"], 7, "NoRecord"),
    "an unknown record type": (["100289a32a0700aa" + "00" * 12], 7, "UnknownType"),
    "a VE.Smart broadcast": (["02" + "55" * 12], 7, "UnknownType"),
    "another manufacturer's data": (["4c00" + "55" * 12], 7, "UnknownType"),
    "three bytes": ([cut(3)], 7, "Malformed"),
    "one byte": (["10"], 7, "Malformed"),
}


@pytest.mark.parametrize(("arguments", "code", "reason"), BAD.values(), ids=BAD)
def test_what_gives_no_values_says_why_and_never_shows_any(
    arguments: list[str], code: int, reason: str, capfd: Captured
) -> None:
    assert main(["decode", "--json", *arguments]) == code
    shown = capfd.readouterr()
    line = json.loads(shown.out)
    assert (line["kind"], line["reason"]) == ("undecoded", reason)
    assert line["detail"]
    assert shown.err.startswith("bluewatt: ")
    assert shown.err.count("\n") == 1
    assert main(["decode", *arguments]) == code
    assert "battery_voltage" not in capfd.readouterr().out


BAD_KEYS = {"30 characters": KEY.hex()[2:], "33 characters": KEY.hex() + "0", "no hex": "z" * 32}


@pytest.mark.parametrize("text", BAD_KEYS.values(), ids=BAD_KEYS)
def test_a_bad_key_is_code_5_and_not_repeated(text: str, capfd: Captured) -> None:
    assert main(["decode", DATA.hex(), "--key", text]) == 5
    assert text not in capfd.readouterr().err


@pytest.mark.parametrize("text", [KEY.hex(" "), KEY.hex(":")])
def test_a_key_with_spaces_or_colons_works(text: str, capfd: Captured) -> None:
    assert main(["decode", DATA.hex(), "--key", text]) == 0
    assert "12.53 V" in capfd.readouterr().out


@pytest.mark.parametrize("length", range(9, len(DATA)))
def test_a_cut_record_shows_the_fields_it_holds(length: int, capfd: Captured) -> None:
    code = main(["decode", cut(length), "--key", KEY.hex()])
    shown = capfd.readouterr().out
    assert code in (0, 5)  # too little content to tell the key right is not taken for right
    assert ("12.53 V" in shown) == (length >= 12 and code == 0)
    assert code == 0 or "battery_voltage" not in shown


@pytest.mark.parametrize("text", [DATA.hex()[:-1], DATA.hex(" ")[:-1], "0x" + DATA.hex()[1:]])
def test_a_digit_that_got_lost_is_told(text: str, capfd: Captured) -> None:
    assert main(["decode", text]) == 7
    assert capfd.readouterr().err == f"bluewatt: {2 * len(DATA) - 1} hex digits: one is missing\n"


@pytest.mark.parametrize("text", ["", " "])
def test_an_empty_input_is_a_wrong_command_line(text: str, capfd: Captured) -> None:
    assert main(["decode", text]) == 2
    assert "an INPUT is empty" in capfd.readouterr().err


def test_a_line_without_end_is_passed_over_and_told_once(tmp_path: Path, capfd: Captured) -> None:
    path, long = tmp_path / "log.txt", "10 " * 3 * LONGEST_LINE
    path.write_text(f"{long}\n{DATA.hex()}\n{long}\n{DATA.hex()}\n{long}", "utf-8")
    assert main(["decode", str(path), "--json", "--key", KEY.hex()]) == 0
    shown = capfd.readouterr()
    assert shown.out.count("battery_voltage") == 2
    assert shown.err.count("were left out") == 1


@pytest.mark.parametrize("size", [1, 7, LONGEST_LINE, 3 * LONGEST_LINE])
def test_long_lines_are_passed_over_however_they_come(size: int) -> None:
    longest, told = "a" * LONGEST_LINE, list[int]()
    text = f"x\n{longest}\n{longest}b\ny\n\n{longest * 3}\nz".encode()
    blocks = [text[at : at + size] for at in range(0, len(text), size)] if size > 7 else [text[:size], text[size:]]
    assert list(split_lines(blocks, lambda: told.append(1))) == ["x", longest, "y", "", "z"]
    assert told == [1]


@pytest.mark.parametrize(("text", "said"), [("10", "1 byte, "), ("1002", "2 bytes, ")])
def test_one_byte_is_not_one_bytes(text: str, said: str, capfd: Captured) -> None:
    assert main(["decode", text]) == 7
    shown = capfd.readouterr()
    assert shown.out.startswith(said)
    assert "1 bytes" not in shown.out + shown.err


def test_text_without_an_advertisement(capfd: Captured) -> None:
    assert main(["decode", "hello world, nothing here"]) == 7
    assert "no advertisement" in capfd.readouterr().err


def expected(heard: list[Frame], site: Site) -> set[tuple[str, float]]:
    ring = {device.address: device.key for device in site.devices}
    found = [(frame.address, decode_advertisement(frame.payload, ring[frame.address])) for frame in heard]
    return {(address, record.battery_voltage) for address, record in found if isinstance(record, BatteryMonitor)}


def test_a_capture_to_json_lines(
    capture: Path, keys: str, heard: list[Frame], site: Site, capfd: Captured
) -> None:  # fmt: skip
    assert main(["decode", str(capture), "--json", "--keys", keys]) == 0
    shown = capfd.readouterr()
    lines = [json.loads(line) for line in shown.out.splitlines()]
    assert shown.err == ""
    assert {line["source"] for line in lines} == {f"capture:{capture}"}
    assert {line["device"]["address"] for line in lines} == {device.address for device in site.devices}
    monitors = [line for line in lines if line["record"] == "battery_monitor"]
    found = {(line["device"]["address"], line["values"]["battery_voltage"]) for line in monitors}
    assert found
    assert found <= expected(heard, site)
    assert lines[0]["at"].startswith("2026-06-21T09:00:0")


def test_capture_and_recording_and_gzip_and_pipe_agree(
    capture: Path, keys: str, heard: list[Frame], tmp_path: Path
) -> None:  # fmt: skip
    (tmp_path / "site.btsnoop.gz").write_bytes(gzip.compress(capture.read_bytes()))
    renamed = [
        Frame(at=f.at, origin="x", medium=ADVERTISEMENT, address=f.address, payload=f.payload, rssi=f.rssi)
        for f in heard
    ]
    write_recording(tmp_path / "site.jsonl", renamed)
    outputs = []
    for name in ("site.btsnoop", "site.btsnoop.gz", "site.jsonl", "-"):
        path = name if name == "-" else str(tmp_path / name)
        with capture.open("rb") as pipe:
            command = [COMMAND, "decode", path, "--json", "--keys", keys]
            done = subprocess.run(command, stdin=pipe, capture_output=True, check=True)
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        outputs.append([(line["device"]["address"], line["rssi"], line["values"]) for line in lines])
    assert outputs[0]
    assert outputs[1:] == [outputs[0]] * 3


@pytest.mark.parametrize("cut", [0, 5])
@pytest.mark.parametrize("command", [("decode",), ("watch",), ("scan", "--seconds", "5")])
def test_what_still_waits_at_the_end_of_a_recording_is_not_lost(
    command: tuple[str, ...], cut: int, tmp_path: Path, capfd: Captured
) -> None:
    """One advertisement of this record is not enough to prove a key while more may come."""
    data = build_advertisement(AcCharger(battery_voltage_1=13.4), product_id=0xA339, key=KEY, nonce=7)
    line = encode_frame(Frame(1.7e9, "ble:", ADVERTISEMENT, ADDRESS, data))
    path = tmp_path / "one.jsonl"
    path.write_bytes(line + line[:cut])
    where = str(path) if command == ("decode",) else f"capture:{path}"
    assert main([*command, where, "--json", "--key", f"{ADDRESS}={KEY.hex()}"]) == (7 if cut else 0)
    assert json.loads(capfd.readouterr().out)["values"]["battery_voltage_1"] == 13.4


def test_a_capture_as_a_table(capture: Path, keys: str, site: Site, capfd: Captured) -> None:
    assert main(["decode", str(capture), "--keys", keys]) == 0
    table = capfd.readouterr().out.splitlines()
    assert len(table) == len(site.devices) + 1
    assert all(" V" in line for line in table[1:])


def test_csv(capture: Path, keys: str, tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    assert main(["decode", str(capture), str(capture), "--keys", keys, "--format", "csv", "-o", str(out)]) == 0
    rows = list(csv.DictReader(io.StringIO(out.read_text("utf-8"))))
    volts = [row for row in rows if row["metric"] == "battery_voltage"]
    assert {row["unit"] for row in volts} == {"V"}
    assert all(9 < float(row["value"]) < 60 for row in volts)
    assert "at" not in {row["at"] for row in rows}


def test_parquet(capture: Path, keys: str, heard: list[Frame], tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    out = tmp_path / "out.parquet"
    assert main(["decode", str(capture), "--keys", keys, "--format", "parquet", "-o", str(out)]) == 0
    table = parquet.read_table(out)
    assert table.num_rows == len(heard)
    assert set(table.column("status").to_pylist()) == {"decoded"}


def test_parquet_of_a_recording_without_bluetooth_addresses(tmp_path: Path, capfd: Captured) -> None:
    pytest.importorskip("pyarrow.parquet")
    path, out = tmp_path / "mac.jsonl", tmp_path / "out.parquet"
    address = "6B3F2C1A-1F60-4F1E-8E6B-0A1B2C3D4E5F"
    path.write_bytes(encode_frame(Frame(1.8e9, "ble:", ADVERTISEMENT, address, DATA)))
    assert main(["decode", str(path), "--format", "parquet", "-o", str(out)]) == 7
    assert "no Bluetooth addresses (macOS hides them): use json or csv" in capfd.readouterr().err


def test_parquet_without_keys_says_what_is_missing(
    capture: Path, heard: list[Frame], tmp_path: Path, capfd: Captured
) -> None:
    pytest.importorskip("pyarrow.parquet")
    assert main(["decode", str(capture), "--format", "parquet", "-o", str(tmp_path / "out.parquet")]) == 5
    shown = capfd.readouterr().err
    assert f"bluewatt: {capture}: no values: {len(heard)} advertisements need a key\n" in shown
    assert "KeyMissing" not in shown


def test_parquet_needs_a_file(capture: Path, capfd: Captured) -> None:
    assert main(["decode", str(capture), "--format", "parquet"]) == 2
    assert "--output" in capfd.readouterr().err


def test_a_log_of_another_tool(tmp_path: Path, capfd: Captured) -> None:
    log = tmp_path / "btmon.log"
    log.write_text(f"> HCI Event\n   Address: {ADDRESS}\n   Data[23]: {DATA.hex()}\n   RSSI: -60 dBm\n", "utf-8")
    assert main(["decode", str(log), "--json", "--key", f"{ADDRESS}={KEY.hex()}"]) == 0
    line = json.loads(capfd.readouterr().out)
    assert (line["device"]["address"], line["values"]["battery_voltage"]) == (ADDRESS, 12.53)


def btsnoop(link: int, *packets: bytes) -> bytes:
    rows = (struct.pack(">IIIIq", len(packet), len(packet), 3, 0, 0x00E03AB44A676000) + packet for packet in packets)
    return b"btsnoop\0" + struct.pack(">II", 1, link) + b"".join(rows)


BAD_FILES = {
    "empty": (b"", "empty"),
    "not a capture": (bytes(range(256)) * 4, ""),
    "text": (b"hello, this is no capture\n" * 9, "neither a capture nor text"),
    "an unknown link type": (btsnoop(9999), "9999"),
    "without a packet": (btsnoop(1002), "no advertisement"),
    "cut gzip": (gzip.compress(btsnoop(1002, bytes(400)))[:-12], "cut"),
}


@pytest.mark.parametrize(("content", "hint"), BAD_FILES.values(), ids=BAD_FILES)
@pytest.mark.parametrize("form", ["json", "table", "csv", "parquet"])
def test_a_bad_file_is_code_7_in_one_line(
    content: bytes, hint: str, form: str, tmp_path: Path, capfd: Captured
) -> None:  # fmt: skip
    path = tmp_path / "bad.bin"
    path.write_bytes(content)
    assert main(["decode", str(path), "--format", form, "-o", str(tmp_path / "out")]) == 7
    told = capfd.readouterr().err
    assert told.startswith("bluewatt: ")
    assert told.count("\n") == 1
    assert str(path) in told
    assert form == "parquet" or hint in told


def test_a_file_that_is_not_there(capfd: Captured) -> None:
    assert main(["decode", "nowhere.btsnoop"]) == 7
    assert "nowhere.btsnoop" in capfd.readouterr().err


def test_a_cut_capture_gives_what_stood_whole_and_code_7(capture: Path, keys: str, capfd: Captured) -> None:
    whole = capture.read_bytes()
    main(["decode", str(capture), "--json", "--keys", keys])
    before = capfd.readouterr().out.splitlines()
    capture.write_bytes(whole[:-5])
    assert main(["decode", str(capture), "--json", "--keys", keys]) == 7
    shown = capfd.readouterr()
    assert len(before) - 2 <= len(shown.out.splitlines()) <= len(before)
    assert shown.err.count("\n") == 1


def test_without_keys_every_line_says_so_and_the_code_is_5(capture: Path, capfd: Captured) -> None:
    assert main(["decode", str(capture), "--json"]) == 5
    shown = capfd.readouterr()
    lines = shown.out.splitlines()
    assert {json.loads(line)["reason"] for line in lines} == {"KeyMissing"}
    assert f"0 readings; {len(lines)} advertisements need a key\n" in shown.err
    assert "KeyMissing" not in shown.err


def test_with_keys_of_others_no_value_is_shown(capture: Path, site: Site, tmp_path: Path, capfd: Captured) -> None:
    swapped = zip(site.devices, [*site.devices[1:], site.devices[0]], strict=True)
    path = tmp_path / "wrong.toml"
    path.write_text(
        "".join(f'"{mine.address}" = "{(mine.key[:1] + other.key[1:]).hex()}"\n' for mine, other in swapped)
    )
    path.chmod(0o600)
    assert main(["decode", str(capture), "--json", "--keys", str(path)]) == 5
    kinds = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert [line for line in kinds if line["kind"] != "undecoded"] == []


@pytest.mark.parametrize(("identifier", "said"), [(0x02, False), (0x82, True), (0x80, True)])
def test_that_a_device_takes_no_connection_now_is_explained(identifier: int, said: bool, capsys: Captured) -> None:
    data = build_advertisement(RECORD, product_id=0xA389, key=KEY, nonce=7, identifier=identifier)
    main(["decode", data.hex(), "--key", KEY.hex()])
    explained = capsys.readouterr().out
    assert ("takes no connection now" in explained) is said
    main(["decode", data[:4].hex()])
    assert ("takes no connection now" in capsys.readouterr().out) is said
