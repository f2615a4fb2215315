"""`bluewatt wireshark`: the dissector for Wireshark, printed or put where Wireshark finds it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import click

from bluewatt.docgen.wireshark import FILE_NAME, dissector
from bluewatt.errors import ConfigError
from bluewatt.folders import home_folder
from bluewatt.safe_write import replace_file

_FOLDER_OF = "Personal Lua Plugins"
_PATIENCE = 30
"""Seconds that tshark may take to tell its folders."""


@click.command("wireshark")
@click.option("--print", "to_print", is_flag=True, help="Write the dissector to standard output.")
@click.option("--install", "to_install", is_flag=True, help="Put it into Wireshark's personal plug-in folder.")
@click.option(
    "--folder", type=click.Path(file_okay=False, path_type=Path), metavar="FOLDER",
    help="Put it there instead. [default: the folder tshark names, else Wireshark's usual one]",
)  # fmt: skip
def command(to_print: bool, to_install: bool, folder: Path | None) -> None:
    """Write the Wireshark dissector.

    It decodes Instant Readout advertisements (with the keys of your key file, of $BLUEWATT_KEYS and of Wireshark's
    preferences), VE.Smart broadcasts, VictronConnect's conversation and the SmartShunt service.
    """
    if to_print == (to_install or folder is not None):
        raise click.UsageError("choose one of --print and --install")
    if to_print:
        click.echo(dissector(), nl=False)
        return
    path = _install(folder or plugin_folder())
    click.echo(f"{path}\nRestart Wireshark, or press Ctrl-Shift-L in it.", err=True)


def _install(folder: Path) -> Path:
    path = folder / FILE_NAME
    try:
        folder.mkdir(parents=True, exist_ok=True)
        replace_file(path, dissector().encode())
    except OSError as error:
        hint = "name another folder with --folder"
        raise ConfigError(f"cannot write {path}: {error.strerror}", path=str(path), hint=hint) from error
    return path


def plugin_folder() -> Path:
    """Wireshark's folder for a person's own Lua plug-ins: as tshark tells it, else where it usually is."""
    return _told_by_tshark() or _usual()


def _told_by_tshark() -> Path | None:
    tshark = shutil.which("tshark")
    if tshark is None:
        return None
    try:
        told = subprocess.run([tshark, "-G", "folders"], capture_output=True, text=True, timeout=_PATIENCE)
    except (OSError, subprocess.TimeoutExpired):
        return None
    for line in told.stdout.splitlines():
        name, _, folder = line.partition(":")
        if name.strip() == _FOLDER_OF:
            return Path(folder.strip())
    return None


def _usual() -> Path:
    if sys.platform == "win32":
        return Path(os.environ.get("APPDATA") or home_folder()) / "Wireshark" / "plugins"
    return home_folder() / ".local" / "lib" / "wireshark" / "plugins"
