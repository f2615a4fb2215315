"""Keys from the file, the environment and the command line; and what never leaves them."""

from __future__ import annotations

import os
import stat
import tomllib
from pathlib import Path

import pytest

from bluewatt.cli import main
from bluewatt.config import settings_path
from bluewatt.errors import ConfigError, KeyProblem
from bluewatt.folders import config_folder, state_folder
from bluewatt.model.keys import KeyRing
from bluewatt.services.keys import (
    default_path,
    gather_keys,
    gather_networks,
    gather_pins,
    holds_other_key,
    load_keys,
    load_networks,
    named_keys,
    save_key,
    save_network,
)  # fmt: skip
from bluewatt.services.pins import find_pin, pins_path
from bluewatt.wire.instant_readout.cipher import Key, parse_key
from bluewatt.wire.vesmart.broadcast import Network

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
    assert named_keys(environ={"XDG_CONFIG_HOME": str(path.parent)}) == []
    for arguments in ({"path": path, "environ": {}}, {"environ": {"BLUEWATT_KEYS_FILE": str(path)}}):
        for gather in (named_keys, gather_networks, gather_pins):
            with pytest.raises(ConfigError, match=r"cannot read the key file .*: No such file"):
                gather(**arguments)


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
    assert load_keys(path) == [(ADDRESS, SECOND), (OTHER, THIRD)]
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
    assert len(gather_keys(environ={"XDG_CONFIG_HOME": "/nowhere/at/all"})) == len(KeyRing()) == 0


def test_keys_settings_and_pins_live_in_one_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    for name in ("BLUEWATT_KEYS_FILE", "BLUEWATT_CONFIG", "BLUEWATT_PINS_FILE"):
        monkeypatch.delenv(name, raising=False)
    assert {default_path().parent, settings_path().parent, pins_path().parent} == {config_folder()}


HAND_WRITTEN = {
    "short": (f"# mine\n'{ADDRESS}' = '{HEX}'  # aft\n\n# the rest\nunassigned = [\n  '{THIRD.hex()}', # new\n]\n", 1),
    "table": (f'# mine\r\n[ "{ADDRESS}" ]  # aft\r\nname = "a # b"\r\n  key = "{HEX}" # kept\r\n# end', 1),
    "no key yet": (f'["{OTHER}"]\nkey = "{HEX}"\n# mine\n[ "aa-bb-cc-dd-ee-ff" ] # aft\npin = "000123"\n# end\n', 0),
    "inline": (f'x = 1\n"{ADDRESS}" = {{ name = "n", key = "{HEX}" }} # aft\n[networks]\n"1A2B" = "{HEX}"\n', 1),
    "dotted": (f'"{ADDRESS}".key = "{HEX}"\n"{ADDRESS}".name = "aft" # mine\n', 1),
    "not there": (f'# mine\n\n["{OTHER}"] # {ADDRESS}\nkey = "{HEX}"', 0),
    "a text like an entry": (f"[\"{OTHER}\"]\nname = '''\n\"{ADDRESS}\" = \"{HEX}\"\n'''\n# mine\n", 0),
}


@pytest.mark.parametrize(("text", "replaced"), HAND_WRITTEN.values(), ids=HAND_WRITTEN)
def test_a_key_is_saved_into_a_file_as_its_owner_wrote_it(path: Path, text: str, replaced: int) -> None:
    path.write_bytes(text.encode())
    path.chmod(0o600)
    before = tomllib.loads(text)
    assert holds_other_key(ADDRESS, SECOND, path) is bool(replaced)
    save_key(ADDRESS, SECOND, path)
    after = path.read_bytes().decode()
    changed = [line for line in after.split("\n") if line not in text.split("\n")]
    kept = [line for line in text.split("\n") if line in after.split("\n")]
    assert len(text.split("\n")) - len(kept) == replaced, "more lines changed than the one with the key"
    assert [line.replace(SECOND.hex(), HEX) for line in changed if SECOND.hex() in line] != []
    assert sum(f'# replaced: key = "{HEX}"' in line for line in changed) == replaced
    said = tomllib.loads(after)
    found = next(said[name] for name in said if name.replace("-", ":").upper() == ADDRESS)
    assert (found if isinstance(found, str) else found["key"]) == SECOND.hex()
    others = {name: entry for name, entry in said.items() if entry is not found}
    assert others == {name: entry for name, entry in before.items() if name in others}
    once = path.read_bytes()
    save_key(ADDRESS, SECOND, path)
    assert (path.read_bytes(), holds_other_key(ADDRESS, SECOND, path)) == (once, False)


def test_a_layout_that_cannot_be_changed_is_left_and_told(path: Path) -> None:
    text = f'"{ADDRESS}" = "\\u0030{HEX[1:]}"\n'
    with pytest.raises(ConfigError, match="cannot be changed as it is") as told:
        save_key(ADDRESS, SECOND, write(path, text))
    assert path.read_text("utf-8") == text
    assert HEX not in str(told.value)


def test_the_key_of_a_network_is_saved_in_the_same_way(path: Path) -> None:
    write(path, f'# mine\n[networks] # boats\n"1a2b" = "{HEX}" # old boat\n')
    save_network(Network.of("1A2B", SECOND), path)
    save_network(Network.of("77AA", THIRD, 'the "new" one'), path)
    found = {one.network_id.hex(): (one.key, one.name) for one in load_networks(path)}
    assert found == {"1a2b": (SECOND, ""), "77aa": (THIRD, 'the "new" one')}
    assert path.read_text("utf-8").startswith(
        f'# mine\n[networks] # boats\n# replaced: key = "{HEX}"\n"1a2b" = "{SECOND.hex()}" # old boat\n'
    )


def test_a_short_key_takes_no_digit_from_a_whole_one(path: Path) -> None:
    write(path, f'"{ADDRESS}" = "{HEX}" # mine\n')
    save_key(ADDRESS, parse_key(HEX[1:]), path)
    assert load_keys(path) == [(ADDRESS, KEY)]
    write(path, f'"{ADDRESS}" = "{HEX[1:]}" # mine\n')
    assert not holds_other_key(ADDRESS, KEY, path)
    save_key(ADDRESS, KEY, path)
    assert path.read_text("utf-8") == f'"{ADDRESS}" = "{HEX}" # mine\n'


def test_a_link_to_the_key_file_stays(path: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.toml"
    link.symlink_to(write(path, ""))
    save_key(ADDRESS, KEY, link)
    assert (link.is_symlink(), load_keys(path)) == (True, [(ADDRESS, KEY)])


def test_an_import_says_what_it_replaces(path: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    write(path, f'# mine\n"{ADDRESS}" = "{HEX}"\n"{OTHER}" = "{SECOND.hex()}"\n')
    given = tmp_path / "list.txt"
    given.write_text(f"{ADDRESS}@{THIRD.hex()}\n{OTHER}@{SECOND.hex()}\n")
    assert main(["key", "--import", str(given), "--keys", str(path)]) == 0
    said = capfd.readouterr().out
    assert said.count("replaced") == 1
    assert f"{ADDRESS}: another key was saved before; it was replaced" in said
    assert path.read_text("utf-8") == (
        f'# mine\n# replaced: key = "{HEX}"\n"{ADDRESS}" = "{THIRD.hex()}"\n"{OTHER}" = "{SECOND.hex()}"\n'
    )


def test_a_pin_in_the_key_file_is_read(path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    write(path, f'["{ADDRESS}"]\npin = "014916"\nname = "Aft shunt"\n[networks]\n"1A2B" = "{HEX}"\n')
    monkeypatch.setenv("BLUEWATT_KEYS_FILE", str(path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    for name in ("BLUEWATT_PIN", "BLUEWATT_PINS_FILE"):
        monkeypatch.delenv(name, raising=False)
    assert [find_pin(who, None) for who in (ADDRESS.lower(), "aft SHUNT", OTHER)] == ["014916", "014916", None]
    write(tmp_path / "pins.toml", f'"{ADDRESS}" = "222222"\n')
    monkeypatch.setenv("BLUEWATT_PINS_FILE", str(tmp_path / "pins.toml"))
    assert find_pin(ADDRESS, None) == "222222"
    monkeypatch.setenv("BLUEWATT_PINS_FILE", str(tmp_path / "none"))
    with pytest.raises(ConfigError, match="BLUEWATT_PINS_FILE names"):
        find_pin(ADDRESS, None)


@pytest.mark.parametrize("pin", ["73915", '"73915"', '"7391x5"', "true", '"7391556"'])
def test_a_pin_that_is_none_is_refused_without_it(path: Path, pin: str) -> None:
    write(path, f'["{ADDRESS}"]\nkey = "{HEX}"\npin = {pin}\n')
    for load in (load_keys, gather_pins):
        with pytest.raises(ConfigError, match="not a text of six digits") as told:
            load(path)
        assert pin.strip('"') not in str(told.value)


@pytest.mark.parametrize("home", [None, "", "here"])
def test_no_home_is_a_matter_of_configuration(
    monkeypatch: pytest.MonkeyPatch, home: str | None, capfd: pytest.CaptureFixture[str]
) -> None:
    for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "APPDATA", "LOCALAPPDATA", "BLUEWATT_KEYS_FILE"):
        monkeypatch.delenv(name, raising=False)
    if home is None:
        monkeypatch.delenv("HOME", raising=False)

        def unknown(cls: type[Path]) -> Path:
            raise RuntimeError("Could not determine home directory.")

        monkeypatch.setattr(Path, "home", classmethod(unknown))
    else:
        monkeypatch.setenv("HOME", home)
    for folder in (config_folder, state_folder):
        with pytest.raises(ConfigError, match="home folder"):
            folder({})
    assert main(["decode", "10025ba0"]) == 6
    assert "set HOME, or XDG_CONFIG_HOME" in capfd.readouterr().err
