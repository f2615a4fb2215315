"""With the core install alone, a command that needs more says what to install."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from bluewatt.extras import EXTRAS, missing_library

ABSENT = """
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in sys.argv[1].split():
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Absent())
from bluewatt.cli import main
sys.exit(main(sys.argv[2:]))
"""


@pytest.mark.parametrize(
    ("command", "extra"),
    [
        ("scan", "ble"),
        ("demo", "ble,emulator"),
        ("read x", "ble"),
        ("history x", "ble"),
        ("emulate smartshunt", "emulator"),
    ],
)
def test_the_sentence_names_the_extra(command: str, extra: str) -> None:
    arguments = [sys.executable, "-c", ABSENT, " ".join(EXTRAS), *command.split()]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert done.returncode == 6, done.stderr
    assert done.stderr.count("\n") == 1
    assert f"pip install 'bluewatt[{extra}]'" in done.stderr


def test_each_library_is_brought_by_its_extra() -> None:
    project = tomllib.loads((Path(__file__).resolve().parents[2] / "pyproject.toml").read_text("utf-8"))["project"]
    for library, extra in EXTRAS.items():
        names = {Requirement(line).name.replace("-", "_") for line in project["optional-dependencies"][extra]}
        assert library in names


def test_a_library_of_no_extra_is_named_and_a_module_of_ours_is_a_bug() -> None:
    error = missing_library(ModuleNotFoundError(name="usb1"), "this radio", "ble")
    assert str(error) == "this radio needs the library usb1 (install it with pip)"
    assert missing_library(ModuleNotFoundError(name="bluewatt.gone"), "this") is None
