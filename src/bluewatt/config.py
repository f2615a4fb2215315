"""The settings: one TOML file; without it everything may be read and nothing written.

    # ~/.config/bluewatt/config.toml
    allow_writes = ["charger", "load"]       # on every device; names of the page "control safely"

    [devices."AA:BB:CC:DD:EE:FF"]
    allow_writes = ["inverter"]              # on this one, too

Checked by hand, setting by setting: no library tells the line, or does so in words for people.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import msgspec

from bluewatt.errors import ConfigError, KeyProblem
from bluewatt.folders import config_folder
from bluewatt.model.keys import normal_address
from bluewatt.tables.controls import CONTROLS
from bluewatt.toml_text import TomlPath, TomlProblem, TomlText, suggestion

CONFIG_FILE = "BLUEWATT_CONFIG"
"""The environment variable that names another settings file."""


class DeviceSettings(msgspec.Struct, frozen=True):
    """The settings of one device."""

    allow_writes: tuple[str, ...] = ()
    """Controls that may be written on this device, too."""
    name: str = ""
    """The name that tables show; empty for the device's own."""


class Settings(msgspec.Struct, frozen=True):
    """All settings of the file."""

    allow_writes: tuple[str, ...] = ()
    """Controls that may be written on every device."""
    devices: dict[str, DeviceSettings] = {}
    """The settings of devices, by address."""

    def names(self) -> dict[str, str]:
        """Return the names given to devices, by address."""
        return {address: device.name for address, device in self.devices.items() if device.name}

    def how_to_allow(self, control: str, path: Path | None = None) -> str:
        """Return what to do so that a control may be written on every device, with the exact line of the file."""
        names = ", ".join(f'"{name}"' for name in dict.fromkeys((*self.allow_writes, control)))
        return f'add "{control}" to allow_writes in {path or settings_path()}: allow_writes = [{names}]'

    def writable(self, address: str) -> frozenset[str]:
        """Return the controls that may be written on a device."""
        own = self.devices.get(address, DeviceSettings())
        return frozenset(self.allow_writes) | frozenset(own.allow_writes)


def settings_path(environ: Mapping[str, str] = os.environ) -> Path:
    """Return the settings file: $BLUEWATT_CONFIG, else config.toml in the configuration folder."""
    return Path(environ[CONFIG_FILE]) if environ.get(CONFIG_FILE) else config_folder(environ) / "config.toml"


def load_settings(path: Path | None = None, environ: Mapping[str, str] = os.environ) -> Settings:
    """Return the settings; the defaults if there is no file and none was named.

    Raises ConfigError, which names file, line and setting, for a file that cannot be used.
    """
    named = path is not None or bool(environ.get(CONFIG_FILE))
    path = path or settings_path(environ)
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        if named:
            raise ConfigError(f"there is no settings file {path}", path=str(path)) from None
        return Settings()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text in UTF-8"
        raise ConfigError(f"cannot read the settings {path}: {why}", path=str(path)) from error
    try:
        return parse_settings(text)
    except TomlProblem as problem:
        where = f"{path} line {problem.line}" if problem.line else str(path)
        raise ConfigError(f"{where}: {problem}", path=str(path)) from problem


def parse_settings(text: str) -> Settings:
    """Return the settings of a TOML text; raises TomlProblem, with the line, for one that cannot be used."""
    file = TomlText(text)
    file.check_names((), Settings.__struct_fields__, "setting")
    devices: dict[str, DeviceSettings] = {}
    for name in file.table("devices", hint='[devices."AA:BB:CC:DD:EE:FF"]'):
        place = ("devices", name)
        try:
            address = normal_address(name)
        except KeyProblem as error:
            raise file.problem(place, f"names no device: {error}") from None
        if address in devices:
            raise file.problem(place, "is the same device as a table above; join the two")
        file.table(*place, hint='[devices."AA:BB:CC:DD:EE:FF"]')
        file.check_names(place, DeviceSettings.__struct_fields__, "setting")
        given = file.text(*place, "name", hint='name = "SmartShunt in the van"')
        devices[address] = DeviceSettings(_allowed(file, (*place, "allow_writes")), given)
    return Settings(_allowed(file, ("allow_writes",)), devices)


def _allowed(file: TomlText, place: TomlPath) -> tuple[str, ...]:
    """Return the controls a list allows; raises TomlProblem for a name that no control has."""
    names = file.texts(*place, hint='allow_writes = ["charger"]')
    known = [row.name for row in CONTROLS]
    for name in names:
        if name not in known:
            raise file.problem(place, f"allows {name!r}, which nothing can write: {suggestion(name, known)}")
    return names
