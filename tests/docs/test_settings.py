"""Every setting and environment variable there is stands on its page, and nothing else does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bluewatt.config import DeviceSettings, Settings, load_settings

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "reference" / "settings.md").read_text("utf-8")
VARIABLE = re.compile(r"\bBLUEWATT_[A-Z_]+\b")
SCRIPTS = ("test", "bluez", "setup")


def variables(*files: Path) -> set[str]:
    return {name for file in files for name in VARIABLE.findall(file.read_text("utf-8"))}


def test_every_variable_is_on_the_page() -> None:
    sources = [file for file in (ROOT / "src").rglob("*.py") if file.name != "c_header.py"]  # its names are C macros
    used = variables(*sources, *(ROOT / "scripts" / name for name in SCRIPTS))
    assert used
    assert variables(ROOT / "docs" / "reference" / "settings.md") == used


@pytest.mark.parametrize("name", [*Settings.__struct_fields__, *DeviceSettings.__struct_fields__])
def test_every_setting_is_on_the_page(name: str) -> None:
    assert f"| `{name}`" in PAGE


def test_the_shown_settings_can_be_used(tmp_path: Path) -> None:
    shown = re.search(r"^```toml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    assert shown
    file = tmp_path / "config.toml"
    file.write_text(shown[1], "utf-8")
    settings = load_settings(file)
    assert settings.writable("AA:BB:CC:DD:EE:FF") == {"charger", "load", "inverter"}
    assert settings.writable("11:22:33:44:55:66") == {"charger", "load"}
