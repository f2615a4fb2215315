"""Keys from the file, the environment and the command line; and what never leaves them."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from bluewatt.cli import main
from bluewatt.cli.linked import pins_path
from bluewatt.config import settings_path
from bluewatt.errors import ConfigError, KeyProblem
from bluewatt.folders import config_folder
from bluewatt.model.keys import KeyRing
from bluewatt.services.keys import default_path, gather_keys, load_keys, load_networks, named_keys, save_key
from bluewatt.wire.cipher import Key

ADDRESS, OTHER = "AA:BB:CC:DD:EE:FF", "11:22:33:44:55:66"
HEX = "00112233445566778899aabbccddeeff"
KEY, SECOND, THIRD = Key.of(HEX), Key(b"\x01" * 16), Key(b"\x02" * 16)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys.toml"


def write(path: Path, text: str, mode: int = 0o600) -> Path:
    path.write_text(text, "utf-8")
    path.chmod(mode)
    return path


def test_both_forms_and_unassigned_keys(path: Path) -> None:
    write(
        path,
        f'"aabbccddeeff" = "{HEX}"\nunassigned = ["{SECOND.hex()}"]\n'
        f'["{OTHER}"]\nkey = "{THIRD.hex()}"\npin = "000123"\n',
    )
    assert load_keys(path) == [(ADDRESS, KEY), (None, SECOND), (OTHER, THIRD)]
    ring = gather_keys(path=path, environ={})
    assert (ring.of(ADDRESS), ring.of(OTHER)) == (KEY, THIRD)
    assert ring.candidates("C0:00:00:00:00:01", 1) == [SECOND]


def test_a_device_may_be_filed_without_a_key(path: Path) -> None:
    assert load_keys(write(path, f'["{ADDRESS}"]\npin = "012345"\n')) == []


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (f'["{ADDRESS}"]\nkye = "{HEX}"\n', ADDRESS),
        (f'["{ADDRESS}"]\nkey = "{HEX}"\nkye = 1\n', ADDRESS),
        (f'[networks."1A2B"]\nkye = "{HEX}"\n', "network 1A2B"),
    ],
)
def test_a_misspelt_entry_is_told_with_what_there_is(path: Path, text: str, place: str) -> None:
    load = load_networks if "networks" in text else load_keys
    with pytest.raises(ConfigError, match=rf"{place}: 'kye' is not known \(there are: key, "):
        load(write(path, text))


def test_a_key_in_the_place_of_an_entry_is_not_repeated(path: Path) -> None:
    with pytest.raises(ConfigError) as told:
        load_keys(write(path, f'["{ADDRESS}"]\n{HEX} = "key"\n'))
    assert HEX[:3] not in str(told.value)


def test_what_counts_over_what(path: Path) -> None:
    write(path, f'"{ADDRESS}" = "{HEX}"\n"{OTHER}" = "{HEX}"\n')
    environ = {"BLUEWATT_KEYS": f"{ADDRESS}={SECOND.hex()},{THIRD.hex()}", "BLUEWATT_KEYS_FILE": str(path)}
    ring = gather_keys([f"{ADDRESS}@{THIRD.hex()}"], environ=environ)
    assert (ring.of(ADDRESS), ring.of(OTHER), len(ring)) == (THIRD, KEY, 3)
    assert gather_keys(environ=environ).of(ADDRESS) == SECOND


def test_the_place_of_the_file() -> None:
    assert default_path({"BLUEWATT_KEYS_FILE": "/k.toml"}) == Path("/k.toml")
    assert default_path({"XDG_CONFIG_HOME": "/c"}) == Path("/c/bluewatt/keys.toml")
    assert default_path({}) == Path.home() / ".config/bluewatt/keys.toml"


def test_no_file_at_the_default_place_is_no_keys_a_named_one_must_be_there(path: Path) -> None:
    assert named_keys(environ={"BLUEWATT_KEYS_FILE": str(path)}) == []
    with pytest.raises(ConfigError, match="No such file"):
        named_keys(path=path, environ={})


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX")
@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660, 0o601])
def test_a_file_others_may_read_is_refused_with_what_to_do(
    path: Path, mode: int, capfd: pytest.CaptureFixture[str]
) -> None:
    write(path, f'"{ADDRESS}" = "{HEX}"\n', mode)
    with pytest.raises(ConfigError, match="chmod 600") as told:
        load_keys(path)
    assert told.value.path == str(path)
    assert main(["decode", "10025ba0", "--keys", str(path)]) == 6
    assert "chmod 600" in capfd.readouterr().err


DAMAGED = {
    "not TOML": f'"{ADDRESS}" "{HEX}"',
    "cut": f'"{ADDRESS}" = "{HEX}',
    "bare key": HEX,
    "a number": f'"{ADDRESS}" = 5',
    "a table of numbers": f'["{ADDRESS}"]\nkey = 12',
    "not a text": "\udcff\udcfe",
}


@pytest.mark.parametrize("text", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_file_is_a_configuration_error(path: Path, text: str) -> None:
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    path.chmod(0o600)
    with pytest.raises(ConfigError) as told:
        load_keys(path)
    assert HEX not in str(told.value)


BAD_KEYS = {
    "30 characters": (HEX[2:], "30"),
    "33 characters": (HEX + "0", "33"),
    "no hex": ("x" * 32, "hex digits"),
    "empty": ("", "0"),
}


@pytest.mark.parametrize(("text", "hint"), BAD_KEYS.values(), ids=BAD_KEYS)
def test_a_bad_key_is_told_with_its_place_and_without_its_text(path: Path, text: str, hint: str) -> None:
    with pytest.raises(KeyProblem, match=hint) as in_file:
        load_keys(write(path, f'"{ADDRESS}" = "{text}"\n'))
    with pytest.raises(KeyProblem, match=hint) as in_argument:
        named_keys([f"{ADDRESS}={text}"], environ={})
    assert ADDRESS in str(in_file.value)
    assert "--key, number 1" in str(in_argument.value)
    assert not text or text not in f"{in_file.value} {in_argument.value}"


@pytest.mark.parametrize("spelled", [HEX.upper(), KEY.hex(" "), KEY.hex(":"), KEY.hex("-"), f"0x{HEX}", f"  {HEX}\n"])
def test_keys_as_people_paste_them(spelled: str) -> None:
    assert named_keys([f"{ADDRESS}={spelled}", spelled], environ={}) == [(ADDRESS, KEY), (None, KEY)]


@pytest.mark.parametrize("text", [f"{HEX}={ADDRESS}", f"{HEX[:31]}={HEX}", f"{HEX}x={HEX}", f"{HEX}@nonsense",
                                  f"'{HEX}={HEX}'", f"'{HEX}'={HEX}", f"{HEX[:17]}={HEX}"])  # fmt: skip
def test_a_key_in_the_place_of_the_address_is_not_repeated(path: Path, text: str) -> None:
    with pytest.raises(KeyProblem) as told:
        named_keys([text], environ={})
    assert HEX[:16] not in str(told.value)
    with pytest.raises(KeyProblem) as in_file:
        load_keys(write(path, f'"{HEX[:31]}" = "{HEX}"\n'))
    assert HEX[:20] not in str(in_file.value)


def test_saving_makes_a_file_for_its_owner_alone_and_keeps_the_rest(tmp_path: Path) -> None:
    path = tmp_path / "new" / "keys.toml"
    assert save_key(ADDRESS.lower(), KEY, path) == path
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    write(
        path,
        path.read_text("utf-8")
        + f'["{OTHER}"]\nkey = "{SECOND.hex()}"\npin = "000123"\nname = "Aft \\"big\\" \\u0001"\n',
    )
    save_key(OTHER, THIRD, path)
    save_key(ADDRESS, SECOND, path)
    assert load_keys(path) == [(OTHER, THIRD), (ADDRESS, SECOND)]
    assert 'pin = "000123"' in path.read_text("utf-8").replace('"pin"', "pin")
    assert sorted(path.parent.iterdir()) == [path]


def test_saving_over_an_unassigned_key_and_a_short_form(path: Path) -> None:
    write(path, f'unassigned = ["{THIRD.hex()}"]\n"aa-bb-cc-dd-ee-ff" = "{HEX}"\n')
    save_key(ADDRESS, SECOND, path)
    assert sorted(load_keys(path), key=str) == sorted([(None, THIRD), (ADDRESS, SECOND)], key=str)


def test_a_folder_that_cannot_be_written_is_a_configuration_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="cannot write"):
        save_key(ADDRESS, KEY, tmp_path / "file" / "keys.toml")


def test_the_ring_of_nothing_is_empty() -> None:
    assert len(gather_keys(environ={"BLUEWATT_KEYS_FILE": "/nowhere/at/all"})) == len(KeyRing()) == 0


def test_keys_settings_and_pins_live_in_one_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    for name in ("BLUEWATT_KEYS_FILE", "BLUEWATT_CONFIG", "BLUEWATT_PINS_FILE"):
        monkeypatch.delenv(name, raising=False)
    assert {default_path().parent, settings_path().parent, pins_path().parent} == {config_folder()}
