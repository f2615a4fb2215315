"""macOS and Windows have no D-Bus: every transport is imported there without its library, and radio commands run.

The system is played by a child process that says it is another one. What Python itself and the libraries have that
differs by system is imported before: it is not what is tested.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SYSTEMS = {"darwin": "Darwin", "win32": "Windows"}
"""`sys.platform` → `platform.system()`."""

PRETEND = """
import asyncio, asyncio.subprocess, click.testing, cryptography.hazmat.primitives.ciphers.aead, ctypes, curses, getpass
import importlib, multiprocessing, platform, rich.console, rich.live, rich.progress, socket, ssl, subprocess, sys
import aiomqtt, tempfile, urllib.request, webbrowser
import cryptography.hazmat.primitives.asymmetric.ec, cryptography.hazmat.primitives.cmac

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "dbus_fast":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Absent())
assert not any(name.partition(".")[0] in ("bluewatt", "bleak", "bumble", "dbus_fast") for name in sys.modules)
sys.platform, system = sys.argv[1:3]
platform.system = lambda: system
"""

IMPORT_ALL = """
import pkgutil, bluewatt.transports
names = [module.name for module in pkgutil.walk_packages(bluewatt.transports.__path__, "bluewatt.transports.")]
for name in names:
    importlib.import_module(name)
print(*names)
"""

COMMAND = """
from bluewatt.cli import main
sys.exit(main(sys.argv[3:]))
"""

ASK_SYSTEM = """
from bluewatt.transports.ble.central import Central
from bluewatt.transports.ble.pairing import pairing_of
print(type(pairing_of(Central())).__name__)
"""


def pretending(platform: str, code: str, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", PRETEND + code, platform, SYSTEMS[platform], *arguments]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env=os.environ | {"BLUEWATT_DEBUG": "1"})


@pytest.mark.parametrize("platform", SYSTEMS)
def test_every_transport_is_imported(platform: str) -> None:
    child = pretending(platform, IMPORT_ALL)
    out, problems = child.communicate()
    assert child.returncode == 0, problems
    folder = Path(__file__).resolve().parents[2] / "src" / "bluewatt" / "transports"
    expected = {path.stem for path in folder.glob("*.py")} - {"__init__"}
    assert expected <= {name.rpartition(".")[2] for name in out.split()}


@pytest.mark.parametrize("platform", SYSTEMS)
@pytest.mark.parametrize("command", [["demo", "--json"], ["scan", "virtual:", "--json"]], ids=lambda words: words[0])
def test_radio_commands_run(platform: str, command: list[str]) -> None:
    with pretending(platform, COMMAND, *command, "--seconds", "600") as child:
        assert child.stdout is not None
        assert child.stderr is not None
        line = child.stdout.readline()
        child.stdout.close()  # whoever reads no more has seen enough: the command ends
        problems = child.stderr.read()
    assert line, problems
    assert json.loads(line)["source"] == "virtual:"
    assert (child.returncode, problems) == (0, "")


@pytest.mark.parametrize("platform", SYSTEMS)
def test_the_system_asks_for_the_pin(platform: str) -> None:
    out, problems = pretending(platform, ASK_SYSTEM).communicate()
    assert out.split() == ["SystemPairing"], problems
