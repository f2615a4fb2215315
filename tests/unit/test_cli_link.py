"""The commands that connect: usage, exit codes and sentences, on the virtual radio of this process."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from bluewatt.cli import main
from bluewatt.folders import state_folder

VIRTUAL = ("--radio", "virtual:")
PIN = "000000"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("BLUEWATT_PIN", "BLUEWATT_PINS_FILE", "BLUEWATT_CONFIG", "BLUEWATT_KEYS_FILE", "BLUEWATT_DEBUG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    (tmp_path / "config" / "bluewatt").mkdir(parents=True)
    return tmp_path


def settings(home: Path, text: str) -> None:
    (home / "config" / "bluewatt" / "config.toml").write_text(text)


def pins(home: Path, text: str, mode: int = 0o600) -> None:
    path = home / "config" / "bluewatt" / "pins.toml"
    path.write_text(text)
    path.chmod(mode)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["read"], 2, "name a DEVICE (address or part of its name), or say --nearest"),
        (["history", "Smart", "--nearest"], 2, "one of the two"),
        (["read", "x", "--json", "--csv"], 2, "--json or --csv"),
        (["read", "x", "--adapter", "hci1", "--radio", "usb:0"], 2, "one of the two"),
        (["read", "x", "--group", "secrets"], 2, "'secrets' is not one of"),
        (["mode", "x", "sleep"], 2, "then one of on, off, eco"),
        (["set", "x", "charger"], 2, "write one NAME=VALUE"),
        (["set", "x", "charger=on", "--undo"], 2, "--undo alone"),
        (["key", "x", "--import", "y"], 2, "--import or DEVICE"),
        (["read", "x", "--pin", "12345"], 5, "it is 0NNNNN"),
        (["read", "x", "--pin", "onetwo"], 5, "a text of 6 digits"),
        (["read", "x", "--radio", "wifi:"], 6, "no radio is called 'wifi:'"),
        (["read", "x", "--radio", "tcp-client:127.0.0.1:1"], 3, "cannot open the Bluetooth transport"),
        (["key", "--import", "/nowhere/keys.txt"], 6, "cannot read /nowhere/keys.txt"),
    ],
)
def test_what_is_wrong_before_a_device_is_heard(
    capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, said: str
) -> None:
    assert main(arguments) == code
    told = capsys.readouterr()
    assert said in told.err
    assert "Traceback" not in told.err
    assert not told.out


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["read", "Solar", "--pin", "000001"], 5, "refused the PIN"),
        (["read", "Solar"], 5, "must be paired first: give its PIN with --pin"),
        (["read", "Nothing", "--timeout", "0.5"], 3, "Nothing was not heard within 0.5 s"),
        (
            ["read", "Solar", "yield", "--pin", PIN],
            2,
            "a device of the family mppt has no register 'yield'; did you mean",
        ),
        (["read", "Solar", "0x1234", "--pin", PIN], 4, "refused register 0x1234"),
        (["read", "Shunt", "pin_code", "--pin", PIN], 4, "may not be read"),
        (["history", "Orion", "--pin", PIN], 4, "keeps no history"),
        (["mode", "Shunt", "on", "--yes", "--pin", PIN], 4, "has no mode that may be switched"),
        (["set", "Solar", "charger=off", "--yes", "--pin", PIN], 4, 'allow_writes = ["charger"]'),
        (["set", "Solar", "clear_history=1", "--yes", "--pin", PIN], 4, "is not a control: "),
        (["set", "Solar", "--undo", "--yes", "--pin", PIN], 4, "nothing that was changed"),
    ],
)
def test_what_a_device_or_our_guard_refuses(
    capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, said: str
) -> None:
    assert main([*arguments, *VIRTUAL]) == code
    told = capsys.readouterr()
    assert said in told.err
    assert told.err.count("\n") == 1
    assert "000001" not in told.err


def test_damaged_bonds_are_told_before_the_radio_opens(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bonds = state_folder() / "bonds.json"
    bonds.parent.mkdir(parents=True)
    for damaged in ("", "{half", "[1]"):
        bonds.write_text(damaged)
        assert main(["read", "x", "--radio", "tcp-client:127.0.0.1:1"]) == 6
        assert "is damaged (move it away" in capsys.readouterr().err


def test_the_pin_comes_from_the_environment_or_a_private_file(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pins(home, '"smartsolar" = "000000"\n')
    assert main(["read", "SmartSolar", "battery_voltage", *VIRTUAL]) == 0
    pins(home, 'default = "000000"\n')
    assert main(["read", "Solar", "battery_voltage", *VIRTUAL]) == 0
    capsys.readouterr()
    pins(home, '"x" = "000000"\n', mode=0o644)
    assert main(["read", "Solar", "battery_voltage", *VIRTUAL]) == 6
    assert "may be read by others (run: chmod 600" in capsys.readouterr().err
    pins(home, '"x" = 12345\n')
    assert main(["read", "Solar", "battery_voltage", *VIRTUAL]) == 6
    told = capsys.readouterr().err
    assert "leading zeros get lost" in told
    assert "12345" not in told
    monkeypatch.setenv("BLUEWATT_PIN", "00000")
    assert main(["read", "Solar", "battery_voltage", *VIRTUAL]) == 5
    monkeypatch.setenv("BLUEWATT_PIN", PIN)
    assert main(["read", "Solar", "battery_voltage", *VIRTUAL]) == 0


def test_a_settings_file_that_cannot_be_used_stops_a_write(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings(home, 'allow_writes = ["firmware"]')
    assert main(["set", "Solar", "charger=off", "--yes", "--pin", PIN, *VIRTUAL]) == 6
    assert "which nothing can write" in capsys.readouterr().err


def test_values_as_table_json_and_csv(capsys: pytest.CaptureFixture[str]) -> None:
    wanted = ["battery_voltage", "state_of_charge", "firmware_version", "--pin", PIN, *VIRTUAL]
    assert main(["read", "Shunt", *wanted]) == 0
    table = capsys.readouterr().out
    assert "Battery voltage" in table
    assert "4.16" in table
    assert main(["read", "Shunt", *wanted, "--json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["key"] for line in lines] == ["battery_voltage", "state_of_charge", "firmware_version"]
    assert lines[0].keys() >= {"at", "source", "kind", "device", "direction", "message", "instance", "register", "raw"}
    assert (lines[0]["kind"], lines[0]["unit"], lines[0]["instance"]) == ("vreg", "V", 3)
    assert main(["read", "Shunt", *wanted, "--csv"]) == 0
    rows = capsys.readouterr().out.splitlines()
    assert rows[0] == "key,value,unit,register,instance"
    assert rows[1].startswith("battery_voltage,1")
    assert rows[1].endswith(",V,0xED8D,3")


def test_a_change_is_listed_tried_made_and_taken_back(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["set", "--list"]) == 0
    assert "absorption_voltage" in capsys.readouterr().out
    settings(home, 'allow_writes = ["float_voltage"]')
    common = ["--pin", PIN, *VIRTUAL]
    assert main(["set", "Solar", "float_voltage=13.6", "--dry-run", *common]) == 0
    assert "bytes: 06 03 82 19 ed f6 42 50 05" in capsys.readouterr().out
    audit = home / "state" / "bluewatt" / "audit.jsonl"
    assert not audit.exists()
    assert main(["set", "Solar", "float_voltage=13.6", "--yes", *common]) == 0
    assert "float_voltage: 13.5 → 13.6 V" in capsys.readouterr().out
    assert len(audit.read_text().splitlines()) == 2
    assert main(["set", "Solar", "--undo", "--yes", *common]) == 0
    assert "→ 13.5 V" in capsys.readouterr().out
    intent = audit.read_text().splitlines()[0]
    address = json.loads(intent)["device"]
    with audit.open("a") as file:
        file.write(json.dumps(json.loads(intent) | {"id": "x"}) + "\n")
    assert address
    assert main(["set", "Solar", "float_voltage=13.7", "--dry-run", *common]) == 0
    assert "an earlier change of float_voltage to 13.60 V was interrupted" in capsys.readouterr().err


def test_keys_from_a_list(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    listed = home / "keys.txt"
    listed.write_text("C2:00:00:00:00:07@00112233445566778899aabbccddeeff\n")
    assert main(["key", "--import", str(listed)]) == 0
    told = capsys.readouterr().out
    assert "1 key saved" in told
    assert "00112233" not in told
    kept = home / "config" / "bluewatt" / "keys.toml"
    assert kept.stat().st_mode & 0o777 == 0o600
    assert "C2:00:00:00:00:07" in kept.read_text()
    listed.write_text("# nothing\n")
    assert main(["key", "--import", str(listed)]) == 5
    listed.write_text("00112233445566778899aabbccddeeff\n")
    assert main(["key", "--import", str(listed)]) == 5
    assert "without an address" in capsys.readouterr().err


def test_a_refused_change_says_what_to_write_where(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = home / "config" / "bluewatt" / "config.toml"
    settings(home, 'allow_writes = ["load"]')
    wanted = ["set", "Solar", "charger=off", "--pin", PIN, *VIRTUAL]
    assert main([*wanted, "--yes"]) == 4
    line = 'allow_writes = ["load", "charger"]'
    advice = f'add "charger" to allow_writes in {path}: {line}\n'
    assert capsys.readouterr().err.endswith(advice)
    assert main([*wanted, "--dry-run"]) == 0
    assert capsys.readouterr().out.endswith(f"nothing was written; to allow it, {advice}")
    settings(home, line)
    assert main([*wanted, "--yes"]) == 0


def test_the_log_of_changes_is_in_words(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    assert main(["set", "--log"]) == 0
    assert "no change is noted in" in capsys.readouterr().err
    settings(home, 'allow_writes = ["float_voltage", "charger"]')
    for wish in ("float_voltage=13.6", "charger=off", "--undo"):
        assert main(["set", "Solar", wish, "--yes", "--pin", PIN, *VIRTUAL]) == 0
    audit = home / "state" / "bluewatt" / "audit.jsonl"
    lost = json.loads(audit.read_text().splitlines()[0]) | {"id": "x", "device": "AA:BB:CC:DD:EE:FF", "name": "Van"}
    with audit.open("a") as file:
        file.write(json.dumps(lost) + "\n")
    capsys.readouterr()
    assert main(["set", "--log", "--utc"]) == 0
    table = capsys.readouterr().out
    rows = [" ".join(line.split()) for line in table.splitlines()]
    assert "float_voltage 13.50 V 13.60 V done" in rows[1]
    assert "charger on off done" in rows[2]
    assert table.count("Z  ") == 4
    assert "(taking an earlier change back)" in " ".join(table.split())
    assert "interrupted: not known whether it was written" in " ".join(table.split())
    assert main(["set", "--log", "van", "--json"]) == 0
    (change,) = map(json.loads, capsys.readouterr().out.splitlines())
    assert (change["old"], change["new"], change["outcome"]) == ("13.50 V", "13.60 V", None)
    assert change["device"] == {"address": "AA:BB:CC:DD:EE:FF", "name": "Van"}
    assert main(["set", "--log", "one", "two"]) == 2


def test_v_reports_each_step_and_no_secret(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["read", "Solar", "battery_voltage", "-v", "--pin", PIN, *VIRTUAL]) == 0
    told = capsys.readouterr()
    steps = ["looking for Solar", "found SmartSolar", "chosen: ", "connecting to ", "pairing with ", "paired with "]
    lines = told.err.splitlines()
    assert [line.startswith(f"bluewatt: {step}") for line, step in zip(lines, steps, strict=False)] == [True] * 6
    assert " dBm" in lines[1]
    assert "register 0xED8D of instance 3: battery_voltage 1" in lines[-1]
    assert "Battery voltage" in told.out
    assert main(["key", "Solar", "-vv", "--pin", PIN, *VIRTUAL]) == 0
    told = capsys.readouterr()
    key = (Path(os.environ["XDG_CONFIG_HOME"]) / "bluewatt" / "keys.toml").read_text().rpartition(' = "')[2][:32]
    assert len(bytes.fromhex(key)) == 16
    assert "advertisement_key hidden" in told.err
    assert key not in told.err
    assert bytes.fromhex(key).hex(" ") not in told.err
    assert main(["read", "Solar", "battery_voltage", "--pin", PIN, *VIRTUAL]) == 0
    assert capsys.readouterr().err == ""


def test_tables_show_the_name_that_a_device_was_given(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wanted = ["read", "Solar", "battery_voltage", "--pin", PIN, *VIRTUAL]
    assert main(wanted) == 0
    address = capsys.readouterr().out.split("\n")[0].split()[-1]
    keys = home / "config" / "bluewatt" / "keys.toml"
    keys.write_text(f'["{address}"]\nname = "On the roof"\n')
    keys.chmod(0o600)
    assert main(wanted) == 0
    assert capsys.readouterr().out.startswith("On the roof ")
    settings(home, f'[devices."{address.lower()}"]\nname = "Roof"\n')
    assert main(wanted) == 0
    assert capsys.readouterr().out.startswith("Roof ")


def test_v_reports_what_a_scan_finds(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["scan", "virtual:?devices=3&speed=20", "--seconds", "2", "-v", "--json"]) == 0
    told = capsys.readouterr()
    found = [line for line in told.err.splitlines() if line.startswith("bluewatt: found ")]
    assert len(found) == len(set(found)) == 3
    assert all(line.endswith(" dBm") for line in found)
