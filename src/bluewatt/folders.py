"""Where Bluewatt keeps things on this computer, and who may read what is secret there."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path

from bluewatt.errors import ConfigError

_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def config_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Where settings, keys and PINs live."""
    folder = environ.get("XDG_CONFIG_HOME") or environ.get("APPDATA")
    return (Path(folder) if folder else home_folder("XDG_CONFIG_HOME") / ".config") / "bluewatt"


def state_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Where the audit file and bonds live."""
    folder = environ.get("XDG_STATE_HOME") or environ.get("LOCALAPPDATA")
    return (Path(folder) if folder else home_folder("XDG_STATE_HOME") / ".local" / "state") / "bluewatt"


def home_folder(instead: str = "") -> Path:
    """This user's folder; ConfigError where the system knows none, with the variable that would serve `instead`."""
    try:
        home = Path.home()
    except (RuntimeError, KeyError):
        home = Path()
    if not home.is_absolute() or home == Path("/"):  # HOME is empty, or not a place
        hint = "set HOME" + (f", or {instead}" if instead else "")
        raise ConfigError("the system does not know your home folder", hint=hint)
    return home


def refuse_open_door(what: str, path: Path, mode: int) -> None:
    """Raise ConfigError for a file of secrets (`what` it is) with a mode that lets others than its owner at it."""
    if os.name == "posix" and mode & _OTHERS:
        raise ConfigError(f"{what} {path} may be read by others", path=str(path), hint=f"run: chmod 600 {path}")
