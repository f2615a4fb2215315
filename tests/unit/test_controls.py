"""The table of what may be written, and the settings that let it be."""

from __future__ import annotations

from pathlib import Path

import pytest

from bluewatt.config import CONFIG_FILE, Settings, load_settings, settings_path
from bluewatt.errors import ConfigError
from bluewatt.folders import state_folder
from bluewatt.tables.controls import CONTROLS, MODES, Control, control, controls_of
from bluewatt.tables.gatt import KEEP_ALIVE_REGISTER
from bluewatt.wire.registers.values import encode_value

DANGEROUS = {0x0004, 0x1030, 0xEC5C, 0xEC5F, 0xEC65, KEEP_ALIVE_REGISTER}


@pytest.mark.parametrize("row", CONTROLS, ids=lambda row: row.name)
def test_every_row_names_a_writable_register_and_holds_its_limits(row: Control) -> None:
    for family in row.families:
        register = row.row(family)
        assert not register.borrowed
        assert register.id not in DANGEROUS
        assert register.writable, "read-only in the register table"
        for number in row.words.values():
            assert encode_value(register, None if row.command else number) is not None
        if row.low is not None and row.high is not None:
            assert row.low < row.high
            for limit in (row.low, row.high * (4 if row.per_nominal else 1)):
                encode_value(register, limit)
    assert len(row.risk) > 30
    assert row.risk.endswith(".")
    assert row.evidence
    assert row.words or row.longest or (row.low is not None and row.high is not None)


def test_names_are_unique_per_family_and_nothing_else_is_found() -> None:
    families = {family for row in CONTROLS for family in row.families}
    for family in families:
        names = [row.name for row in controls_of(family)]
        assert len(names) == len(set(names))
    assert control("charger", "phoenix") is None
    assert control("restore_defaults", "mppt") is None
    assert control("charger", None) is None
    assert all(any(row.name == mode for row in CONTROLS) for mode in MODES)


def test_without_a_file_nothing_may_be_written(tmp_path: Path) -> None:
    environ = {"XDG_CONFIG_HOME": str(tmp_path), "XDG_STATE_HOME": str(tmp_path / "state")}
    assert load_settings(environ=environ) == Settings()
    assert load_settings(environ=environ).writable("C2:00:00:00:00:07") == frozenset()
    assert settings_path(environ) == tmp_path / "bluewatt" / "config.toml"
    assert state_folder(environ) == tmp_path / "state" / "bluewatt"


def test_permission_for_all_devices_and_for_one(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text('allow_writes = ["load"]\n[devices."c2-00-00-00-00-07"]\nallow_writes = ["charger"]\n')
    settings = load_settings(path)
    assert settings.writable("C2:00:00:00:00:07") == {"load", "charger"}
    assert settings.writable("C2:00:00:00:00:08") == {"load"}


def test_a_named_file_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no settings file"):
        load_settings(environ={CONFIG_FILE: str(tmp_path / "none.toml")})
    with pytest.raises(ConfigError, match="cannot read the settings"):
        load_settings(tmp_path)
