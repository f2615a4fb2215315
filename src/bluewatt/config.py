"""The settings: one TOML file, typed; without it everything may be read and nothing written.

    # ~/.config/bluewatt/config.toml
    allow_writes = ["charger", "load"]       # on every device; names of the page "control safely"

    [devices."AA:BB:CC:DD:EE:FF"]
    allow_writes = ["inverter"]              # on this one, too

Read with tomllib and msgspec, which the core has anyway: a command that only reads must not wait for a larger library.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path

import msgspec

from bluewatt.errors import ConfigError, KeyProblem
from bluewatt.folders import config_folder
from bluewatt.model.keys import normal_address
from bluewatt.tables.controls import CONTROLS

CONFIG_FILE = "BLUEWATT_CONFIG"
"""Another place for the settings."""


class DeviceSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What holds for one device."""

    allow_writes: tuple[str, ...] = ()


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole file."""

    allow_writes: tuple[str, ...] = ()
    """Controls that may be written on every device."""
    devices: dict[str, DeviceSettings] = {}
    """By address."""

    def writable(self, address: str) -> frozenset[str]:
        """The controls that may be written on a device."""
        own = self.devices.get(address, DeviceSettings())
        return frozenset(self.allow_writes) | frozenset(own.allow_writes)


def settings_path(environ: Mapping[str, str] = os.environ) -> Path:
    """The settings file: $BLUEWATT_CONFIG, else config.toml in the configuration folder."""
    return Path(environ[CONFIG_FILE]) if environ.get(CONFIG_FILE) else config_folder(environ) / "config.toml"


def load_settings(path: Path | None = None, environ: Mapping[str, str] = os.environ) -> Settings:
    """The settings; the defaults where no file is there and none was named. ConfigError for one that cannot be used."""
    named = path is not None or bool(environ.get(CONFIG_FILE))
    path = path or settings_path(environ)
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        if named:
            raise ConfigError(f"there is no settings file {path}", path=str(path)) from None
        return Settings()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read the settings {path}: {error}", path=str(path)) from error
    try:
        return _checked(msgspec.convert(tomllib.loads(text), Settings), path)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        hint = 'write allow_writes = ["charger"]'
        raise ConfigError(f"the settings {path} cannot be used: {error}", path=str(path), hint=hint) from error


def _checked(settings: Settings, path: Path) -> Settings:
    named = [*settings.allow_writes, *(name for one in settings.devices.values() for name in one.allow_writes)]
    known = {row.name for row in CONTROLS}
    unknown = sorted(set(named) - known)
    if unknown:
        raise ConfigError(
            f"the settings {path} allow writing {unknown[0]!r}, which nothing can write", path=str(path),
            hint=f"there are: {', '.join(sorted(known))}",
        )  # fmt: skip
    try:
        devices = {normal_address(address): one for address, one in settings.devices.items()}
    except KeyProblem as error:
        raise ConfigError(f"the settings {path}: {error}", path=str(path)) from None
    return msgspec.structs.replace(settings, devices=devices)
