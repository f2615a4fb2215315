"""The folders where Bluewatt keeps its files, and who may read the secrets there."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path

from bluewatt.errors import ConfigError

_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def config_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Return the folder of settings, keys and PINs; raises ConfigError without a home folder."""
    folder = environ.get("XDG_CONFIG_HOME") or environ.get("APPDATA")
    return (Path(folder) if folder else home_folder("XDG_CONFIG_HOME") / ".config") / "bluewatt"


def state_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Return the folder of the audit file and bonds; raises ConfigError without a home folder."""
    folder = environ.get("XDG_STATE_HOME") or environ.get("LOCALAPPDATA")
    return (Path(folder) if folder else home_folder("XDG_STATE_HOME") / ".local" / "state") / "bluewatt"


def home_folder(instead: str = "") -> Path:
    """Return this user's folder; raises ConfigError if there is none, with the variable to set `instead`."""
    try:
        home = Path.home()
    except (RuntimeError, KeyError):
        home = Path()
    if not home.is_absolute() or home == Path("/"):  # HOME is empty, or not a place
        hint = "set HOME" + (f", or {instead}" if instead else "")
        raise ConfigError("the system does not know your home folder", hint=hint)
    return home


def refuse_shared_secrets(what: str, path: Path, mode: int) -> None:
    """Raise ConfigError for a file of secrets, called `what`, if its mode lets others than its owner read it."""
    if os.name == "posix" and mode & _OTHERS:
        raise ConfigError(f"{what} {path} may be read by others", path=str(path), hint=f"run: chmod 600 {path}")
