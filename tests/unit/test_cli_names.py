"""The tables of what is heard: given names in place of a device's own, and times in UTC if they are asked for."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bluewatt.cli import main
from bluewatt.config import parse_settings
from bluewatt.model.reading import ADVERTISEMENT, Frame
from bluewatt.tables.records.solarsense import Solarsense
from bluewatt.toml_text import TomlProblem
from bluewatt.transports.capture.recording import encode_frame
from bluewatt.wire.instant_readout.advertisement import build_advertisement

ADDRESS = "AA:BB:CC:DD:EE:FF"
Captured = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def recording(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The recording of one device that needs no key, which is called "On the roof" in the settings."""
    for name in ("BLUEWATT_CONFIG", "BLUEWATT_KEYS_FILE", "BLUEWATT_KEYS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("TZ", "UTC-5")
    (tmp_path / "bluewatt").mkdir()
    (tmp_path / "bluewatt" / "config.toml").write_text(f'[devices."{ADDRESS}"]\nname = "On the roof"\n')
    data = build_advertisement(Solarsense(irradiance=812.3), product_id=0xC050, key=None, nonce=7)
    path = tmp_path / "one.jsonl"
    path.write_bytes(encode_frame(Frame(1.7e9, "ble:", ADVERTISEMENT, ADDRESS, data, name="Solarsense")))
    return path


@pytest.mark.parametrize("arguments", [["scan", "capture:FILE"], ["watch", "capture:FILE"], ["decode", "FILE"]])
def test_tables_show_the_given_name(arguments: list[str], recording: Path, capfd: Captured) -> None:
    assert main([text.replace("FILE", str(recording)) for text in arguments]) == 0
    shown = capfd.readouterr().out
    assert "On the roof" in shown
    assert "812" in shown


def test_json_keeps_the_name_of_the_device(recording: Path, capfd: Captured) -> None:
    assert main(["watch", f"capture:{recording}", "--json"]) == 0
    assert '"name":"Solarsense"' in capfd.readouterr().out


@pytest.mark.parametrize(("wanted", "code"), [("roof", 0), ("solarsense", 0), ("cellar", 3)])
def test_a_device_is_chosen_by_either_name(wanted: str, code: int, recording: Path, capfd: Captured) -> None:
    assert main(["watch", f"capture:{recording}", wanted]) == code
    if code:
        assert "cellar was not heard, but 1 other device: " in capfd.readouterr().err


def test_times_are_in_utc_if_asked(recording: Path, capfd: Captured) -> None:
    assert main(["watch", f"capture:{recording}", "--utc"]) == 0
    assert capfd.readouterr().out.startswith("22:13:20Z  ")
    assert main(["watch", f"capture:{recording}"]) == 0
    assert re.match(r"\d\d:\d\d:\d\d  ", capfd.readouterr().out)


def test_a_name_that_is_no_text_is_refused_with_its_line() -> None:
    with pytest.raises(TomlProblem, match="name is") as caught:
        parse_settings(f'[devices."{ADDRESS}"]\nname = 7\n')
    assert caught.value.line == 2
    assert 'write name = "' in str(caught.value)


def test_settings_that_cannot_be_used_stop_a_table_and_no_stream(
    recording: Path, tmp_path: Path, capfd: Captured
) -> None:
    (tmp_path / "bluewatt" / "config.toml").write_text("nonsense = 1\n")
    assert main(["scan", f"capture:{recording}"]) == 6
    assert "config.toml line 1: " in capfd.readouterr().err
    assert main(["scan", f"capture:{recording}", "--json"]) == 0
