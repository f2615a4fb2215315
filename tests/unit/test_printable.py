"""Text from outside moves no cursor and changes no colour, wherever it comes in and wherever it is shown."""

from __future__ import annotations

from pathlib import Path

import pytest
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData

from bluewatt.cli import main
from bluewatt.exports.terminal.registers import print_table
from bluewatt.model.display import device_title, plain_text
from bluewatt.model.identity import Device
from bluewatt.model.reading import ADVERTISEMENT, Frame
from bluewatt.model.register_values import explain_register
from bluewatt.tables.registers import by_key
from bluewatt.transports.ble.central import _nearby
from bluewatt.transports.capture.recording import encode_frame, parse_frame
from bluewatt.wire.containers.btsnoop_writer import FILE_START, advertisement_records
from bluewatt.wire.printable import printable

EVIL = "\x1b[2J\x1b]0;owned\x07\u202eevil\x9b31m\r\n"
SAFE = printable(EVIL)
ADDRESS = "C0:11:22:33:44:55"
PAYLOAD = bytes.fromhex("10025ba0")


def is_safe(text: str) -> bool:
    return not any(letter in text for letter in "\x1b\x07\u202e\x9b\r")


def test_what_is_kept_and_what_is_not() -> None:
    assert is_safe(SAFE)
    assert "\n" not in SAFE
    assert (SAFE.count("evil"), len(SAFE)) == (1, len(EVIL))
    for text in ("SmartShunt HQ2211ABCDE", "Höhe 5 °C – ok", "バッテリー", ""):
        assert printable(text) is text


def test_where_names_and_texts_come_in() -> None:
    frame = Frame(1.8e9, "x", ADVERTISEMENT, ADDRESS, PAYLOAD, -50, EVIL)
    assert parse_frame(encode_frame(frame)).name == SAFE
    heard = AdvertisementData(EVIL, {0x02E1: PAYLOAD}, {}, [], None, -50, ())
    assert _nearby(BLEDevice(ADDRESS, None, {}), heard, None).name == SAFE
    without = AdvertisementData(None, {}, {}, [], None, -50, ())
    assert _nearby(BLEDevice(ADDRESS, EVIL, {}), without, None).name == SAFE
    row = by_key("serial_number", "smartshunt")
    assert row is not None
    value = explain_register(row.id, EVIL.encode(), "smartshunt")
    assert value.value == SAFE
    assert value.raw == EVIL.encode(), "the bytes stay what they were"


def test_read_shows_no_escape(capsys: pytest.CaptureFixture[str]) -> None:
    device = Device(ADDRESS, ADDRESS, EVIL)
    print_table(device, [explain_register(0x010A, EVIL.encode(), "smartshunt")])
    assert is_safe(capsys.readouterr().out)
    assert is_safe(device_title(device) + plain_text(EVIL) + plain_text({"model": EVIL}))


@pytest.mark.parametrize("command", ["scan", "watch", "decode"])
@pytest.mark.parametrize("kind", ["recording", "capture"])
def test_no_command_prints_an_escape_of_a_name(
    command: str, kind: str, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    path = tmp_path / kind
    frame = Frame(1.8e9, "x", ADVERTISEMENT, ADDRESS, PAYLOAD, -50, EVIL)
    records = advertisement_records(frame.at, ADDRESS, None, EVIL, -50)
    records += advertisement_records(frame.at + 1, ADDRESS, PAYLOAD, None, -50)
    path.write_bytes(encode_frame(frame) if kind == "recording" else FILE_START + records)
    main([command, str(path) if command == "decode" else f"capture:{path}"])
    told = capfd.readouterr()
    assert "evil" in told.out
    assert is_safe(told.out + told.err)


def test_an_error_shows_no_escape(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["decode", str(tmp_path / "no\x1b[2J")]) == 7
    assert is_safe(capfd.readouterr().err)
