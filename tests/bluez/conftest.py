"""The guest in which real BlueZ runs: built once per machine, skipped with the reason where it cannot be."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

PROJECT = Path(__file__).resolve().parents[2]
SCRIPT = PROJECT / "scripts" / "bluez"
CANNOT = 77
"""Exit status of the script where this machine cannot run a guest."""


@dataclass(frozen=True)
class GuestRun:
    """What a scenario left behind."""

    status: int
    folder: Path

    def text(self, name: str) -> str:
        return (self.folder / name).read_text()

    def lines(self, name: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text(name).splitlines()]

    def moment(self, name: str) -> float:
        """A time the scenario wrote down, on the guest's clock."""
        return float(self.text(name))


@dataclass(frozen=True)
class Lab:
    """Runs scenarios of tests/bluez/guest, each in a guest of its own."""

    folder: Path

    def run(self, scenario: str, *, site: str, scan: str, bluez_args: str = "") -> GuestRun:
        settings = {"BLUEWATT_SITE": site, "BLUEWATT_SCAN": scan, "BLUEZ_ARGS": bluez_args}
        done = subprocess.run(
            [SCRIPT, "run", scenario, self.folder],
            env=os.environ | settings,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        if not (self.folder / "rc").exists():
            console = self.folder / "console.log"
            pytest.fail(f"{done.stderr}\n{console.read_text() if console.exists() else ''}")
        return GuestRun(done.returncode, self.folder)


@pytest.fixture(scope="session")
def prepared() -> None:
    done = subprocess.run([SCRIPT, "prepare"], capture_output=True, text=True, timeout=900, check=False)
    if done.returncode == CANNOT:
        pytest.skip(done.stderr.strip().splitlines()[-1])
    assert done.returncode == 0, done.stderr


@pytest.fixture
def lab(prepared: None, tmp_path: Path) -> Lab:
    return Lab(tmp_path)
