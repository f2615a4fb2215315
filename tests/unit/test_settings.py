"""A settings file that cannot be used: one sentence with file, line, setting and what was probably meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from bluewatt.config import load_settings
from bluewatt.errors import ConfigError

ADDRESS = "AA:BB:CC:DD:EE:FF"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            f'allow_writes = ["load"]\n\n[devices."{ADDRESS}"]\n# the inverter\nalow_writes = ["charger"]\n',
            f' line 5: devices."{ADDRESS}".alow_writes is not a setting: did you mean allow_writes?',
        ),
        ("# mine\nkeys = 1\n", " line 2: keys is not a setting: there are allow_writes, devices"),
        ('[device."x"]\nallow_writes = []', " line 1: device is not a setting: did you mean devices?"),
        (
            'allow_writes = [\n  "load",\n  "chager",\n]\n',
            " line 1: allow_writes allows 'chager', which nothing can write: did you mean charger?",
        ),
        ('allow_writes = "charger"', ' line 1: allow_writes is a text; write allow_writes = ["charger"]'),
        (
            '\nallow_writes = ["load", 7]',
            ' line 2: allow_writes holds a number; write texts, such as allow_writes = ["charger"]',
        ),
        ("devices = true", f' line 1: devices is true or false; write [devices."{ADDRESS}"]'),
        (
            f'[devices]\n"{ADDRESS}" = 2024-01-01',
            f' line 2: devices."{ADDRESS}" is a date; write [devices."{ADDRESS}"]',
        ),
        (
            f'[devices."{ADDRESS}"]\n\n[devices."aa-bb-cc-dd-ee-ff"]',
            " line 3: devices.aa-bb-cc-dd-ee-ff is the same device as a table above; join the two",
        ),
        ("a = 1\nallow_writes [\n", " line 2: this is not TOML: expected '=' after a key in a key/value pair"),
        ('a = 1\nallow_writes = ["load"\n', " line 2: this is not TOML: unclosed array"),
        ('"{}" = 1', ' line 1: "{}" is not a setting: there are allow_writes, devices'),
    ],
)
def test_the_sentence_names_file_line_setting_and_remedy(tmp_path: Path, text: str, sentence: str) -> None:
    path = tmp_path / "config.toml"
    path.write_text(text)
    with pytest.raises(ConfigError) as error:
        load_settings(path)
    assert str(error.value) == f"{path}{sentence}"
    assert (error.value.exit_code, error.value.path) == (6, str(path))


def test_a_table_whose_name_is_no_address(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text('\n[devices."here"]\nallow_writes = []')
    with pytest.raises(ConfigError, match=r"line 2: devices\.here names no device: .*is not a Bluetooth address"):
        load_settings(path)


def test_a_name_that_would_move_the_cursor_is_escaped(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text('"\\u009b2J" = 1')
    with pytest.raises(ConfigError) as error:
        load_settings(path)
    assert str(error.value).isprintable()


def test_a_file_of_another_encoding_says_so(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes(b"allow_writes = [\xff]")
    with pytest.raises(ConfigError, match="it is no text in UTF-8"):
        load_settings(path)


def test_an_empty_file_allows_nothing(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text("")
    assert load_settings(path).writable(ADDRESS) == frozenset()
