"""Finds the PIN of a device where PINs are kept."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path

from bluewatt.errors import ConfigError, KeyProblem
from bluewatt.folders import config_folder, refuse_shared_secrets
from bluewatt.model.keys import normal_address
from bluewatt.model.pins import parse_pin
from bluewatt.secret import SecretText
from bluewatt.services.keys import gather_pins

PIN = "BLUEWATT_PIN"
"""The environment variable with the PIN."""

PINS_FILE = "BLUEWATT_PINS_FILE"
"""The environment variable with another place for the file of PINs."""

_EVERY_DEVICE = "default"


def find_pin(device: str | None, given: str | None) -> str | None:
    """Return the PIN given, else that of the environment, the file of PINs or the key file; None if none is known.

    Raises PairingFailed for a text that is no PIN, ConfigError for a file that cannot be used; neither repeats the PIN.
    """
    if given is not None:
        return parse_pin(given)
    if os.environ.get(PIN):
        return parse_pin(os.environ[PIN])
    kept = {_same_name(name): pin for name, pin in gather_pins().items()} | _kept_pins()
    names = [device, _EVERY_DEVICE] if device else [_EVERY_DEVICE]
    found = next((kept[key] for key in map(_same_name, names) if key in kept), None)
    return parse_pin(found) if found is not None else None


def pins_path() -> Path:
    """Return the path of the file of PINs, with lines `"AA:BB:CC:DD:EE:FF" = "014916"`, of a name or of `default`."""
    return Path(os.environ[PINS_FILE]) if os.environ.get(PINS_FILE) else config_folder() / "pins.toml"


def _kept_pins() -> dict[str, SecretText]:
    """Return the entries of the file of PINs; one that the environment names must be there."""
    path = pins_path()
    try:
        with path.open("rb") as file:
            refuse_shared_secrets("the file of PINs", path, os.fstat(file.fileno()).st_mode)
            pins = tomllib.load(file)
    except FileNotFoundError:
        if os.environ.get(PINS_FILE):
            raise ConfigError(f"there is no file of PINs {path}, which {PINS_FILE} names", path=str(path)) from None
        return {}
    except (OSError, ValueError):
        raise ConfigError(
            f"the file of PINs {path} cannot be read", path=str(path), hint='write "AA:BB:CC:DD:EE:FF" = "014916"'
        ) from None
    if not all(isinstance(pin, str) for pin in pins.values()):
        raise ConfigError(
            f"the file of PINs {path} has a PIN that is not a text: leading zeros get lost", path=str(path),
            hint='write "AA:BB:CC:DD:EE:FF" = "014916", with quotes',
        )  # fmt: skip
    return {_same_name(name): SecretText(pin) for name, pin in pins.items()}


def _same_name(name: str) -> str:
    """Return an address in its normal form, a name in lower case."""
    try:
        return normal_address(name)
    except KeyProblem:
        return name.casefold()
