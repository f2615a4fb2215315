"""`key --list` and `key --check`: whose keys there are and whether they are right, never the keys."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bluewatt.cli import main
from bluewatt.model.reading import ADVERTISEMENT, Frame
from bluewatt.services.key_list import NO_VALUES, NOT_HEARD, RIGHT, UNPROVEN, WRONG, KeyCheck, check_keys, fingerprint
from bluewatt.services.keys import load_keys
from bluewatt.services.simulator import Site, frames
from bluewatt.wire.instant_readout.cipher import Key, parse_key

VIRTUAL = ("--radio", "virtual:", "--pin", "000000")
KEY = "00112233445566778899aabbccddeeff"
OTHER = "ffeeddccbbaa99887766554433221100"
Captured = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("BLUEWATT_PIN", "BLUEWATT_PINS_FILE", "BLUEWATT_CONFIG", "BLUEWATT_KEYS_FILE", "BLUEWATT_KEYS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    path = tmp_path / "bluewatt" / "keys.toml"
    path.parent.mkdir()
    return path


def write(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o600)


LISTED = f"""
unassigned = ["{OTHER}"]
["AA:BB:CC:DD:EE:FF"]
key = "{KEY}"
pin = "014916"
name = "Shunt in the van"
[networks]
"1A2B" = "{OTHER}"
"""


def test_the_list_shows_whose_keys_they_are_and_no_key(keys: Path, capsys: Captured) -> None:
    write(keys, f'"11:22:33:44:55:66" = "{KEY[1:]}"\n{LISTED}')
    assert main(["key", "--list"]) == 0
    table = capsys.readouterr().out
    assert "Shunt in the van" in table
    assert "any device" in table
    assert "network 1A2B" in table
    assert "first digit missing" in table
    assert main(["key", "--list", "--json"]) == 0
    shown = capsys.readouterr().out
    assert [KEY in shown, KEY[1:] in shown, OTHER in shown, "014916" in shown, OTHER in table] == [False] * 5
    lines = {line["address"] or line["network"]: line for line in map(json.loads, shown.splitlines())}
    assert lines["AA:BB:CC:DD:EE:FF"] == {
        "kind": "key", "address": "AA:BB:CC:DD:EE:FF", "network": None, "name": "Shunt in the van",
        "fingerprint": fingerprint(bytes.fromhex(KEY)), "pin_known": True,
    }  # fmt: skip
    assert lines["11:22:33:44:55:66"]["pin_known"] is False
    assert lines["11:22:33:44:55:66"]["fingerprint"] is None
    assert lines["1A2B"]["fingerprint"] == lines[None]["fingerprint"] != lines["AA:BB:CC:DD:EE:FF"]["fingerprint"]


@pytest.mark.parametrize("option", ["--list", "--check"])
def test_without_a_key_file_it_says_how_to_get_one(option: str, keys: Path, capsys: Captured) -> None:
    assert main(["key", option]) == 5
    assert f"there is no key file {keys} yet: `bluewatt key DEVICE`" in capsys.readouterr().err


def test_a_check_says_of_each_key_whether_it_is_right(keys: Path, capsys: Captured) -> None:
    assert main(["key", "Shunt", *VIRTUAL]) == 0
    ((right, good),) = load_keys(keys)
    assert main(["key", "Solar", *VIRTUAL]) == 0
    (wrong,) = {address for address, _ in load_keys(keys)} - {right}
    assert isinstance(good, Key)
    write(
        keys,
        f'"{wrong}" = "{KEY}"\n"AA:BB:CC:DD:EE:FF" = "{OTHER}"\n["{right}"]\nkey = "{good.hex()}"\nname = "Van"\n',
    )
    capsys.readouterr()
    assert main(["key", "--check", "--radio", "virtual:", "--timeout", "8", "--json"]) == 0
    verdicts = {line["address"]: line for line in map(json.loads, capsys.readouterr().out.splitlines())}
    assert verdicts[right] == {"kind": "key_check", "address": right, "name": "Van", "verdict": RIGHT}
    assert verdicts[wrong]["verdict"] == WRONG
    assert verdicts["AA:BB:CC:DD:EE:FF"]["verdict"] == NOT_HEARD


async def heard(seconds: float):
    site = Site(2, devices=20)
    for frame in frames(site, site.now, seconds):
        yield frame


async def test_a_key_without_a_device_is_proved_by_whoever_it_opens() -> None:
    site = Site(2, devices=20)
    device = next(one for one in site.devices if "SmartSolar" in one.name)
    checks = await check_keys([(None, Key.of(device.key)), (None, parse_key(KEY))], heard(6), seconds=60)
    assert [(check.address, check.verdict) for check in checks] == [(device.address, RIGHT), (None, NOT_HEARD)]


def test_a_device_that_sends_no_values_says_nothing_of_its_key() -> None:
    check = KeyCheck("AA:BB:CC:DD:EE:FF", Key.of(KEY))
    check.feed(Frame(0.0, "test", ADVERTISEMENT, "11:22:33:44:55:66", bytes.fromhex("100289a3"), -60))
    assert check.verdict == NOT_HEARD
    check.feed(Frame(0.0, "test", ADVERTISEMENT, "AA:BB:CC:DD:EE:FF", bytes.fromhex("100289a3"), -60))
    assert check.verdict == NO_VALUES
    sealed = bytes.fromhex("100289a3020700ff") + bytes(9)
    check.feed(Frame(1.0, "test", ADVERTISEMENT, "AA:BB:CC:DD:EE:FF", sealed, -60))
    assert check.verdict == UNPROVEN
