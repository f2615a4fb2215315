"""`bluewatt wireshark`: print the dissector for Wireshark, or install it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import click

from bluewatt.cli.option_rules import RuledCommand
from bluewatt.docgen.wireshark import FILE_NAME, dissector
from bluewatt.errors import ConfigError
from bluewatt.folders import home_folder
from bluewatt.safe_write import replace_file

_FOLDER_OF = "Personal Lua Plugins"
_PATIENCE = 30
"""Seconds that tshark may take to list its folders."""


EXAMPLES = (
    ("wireshark --install", "the dissector where Wireshark finds it"),
    ("wireshark --print > bluewatt.lua", "the dissector as a file"),
)


@click.command("wireshark", cls=RuledCommand, examples=EXAMPLES)
@click.option("--print", "to_print", is_flag=True, help="Write the dissector to standard output.")
@click.option("--install", "to_install", is_flag=True, help="Install it into Wireshark's folder for personal plug-ins.")
@click.option(
    "--folder", type=click.Path(file_okay=False, path_type=Path), metavar="FOLDER",
    help="Install it into this folder. [default: the one that tshark names, else Wireshark's usual one]",
)  # fmt: skip
def command(to_print: bool, to_install: bool, folder: Path | None) -> None:
    """Print or install the dissector for Wireshark.

    It decodes Instant Readout advertisements (with the keys of your key file, of BLUEWATT_KEYS and of Wireshark's
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
    """Return Wireshark's folder for personal Lua plug-ins: the one tshark names, else the usual one."""
    return _folder_of_tshark() or _usual_folder()


def _folder_of_tshark() -> Path | None:
    tshark = shutil.which("tshark")
    if tshark is None:
        return None
    try:
        listed = subprocess.run([tshark, "-G", "folders"], capture_output=True, text=True, timeout=_PATIENCE)
    except (OSError, subprocess.TimeoutExpired):
        return None
    for line in listed.stdout.splitlines():
        name, _, folder = line.partition(":")
        if name.strip() == _FOLDER_OF:
            return Path(folder.strip())
    return None


def _usual_folder() -> Path:
    if sys.platform == "win32":
        return Path(os.environ.get("APPDATA") or home_folder()) / "Wireshark" / "plugins"
    return home_folder() / ".local" / "lib" / "wireshark" / "plugins"
