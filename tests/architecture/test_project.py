"""The package as it is shipped, and the scripts around it."""

from __future__ import annotations

import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

SCRIPTS = ("setup", "demo", "test", "check", "bench", "fuzz", "lock")


@pytest.fixture(scope="module")
def wheel(root: Path, tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """Names of the files in a freshly built wheel."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)], cwd=root, check=True)
    (built,) = folder.glob("bluewatt-*.whl")
    return set(zipfile.ZipFile(built).namelist())


def test_the_wheel_ships_the_tables_and_the_licence(root: Path, wheel: set[str]) -> None:
    tables = {str(path.relative_to(root / "src")) for path in (root / "src" / "bluewatt").rglob("*.csv")}
    assert tables
    assert tables | {"bluewatt/py.typed"} <= wheel
    assert any(name.endswith("licenses/LICENSE") for name in wheel)


def test_the_wheel_ships_nothing_else(wheel: set[str]) -> None:
    assert {name.partition("/")[0].partition("-")[0] for name in wheel} == {"bluewatt"}


def test_the_command_is_the_front_door(root: Path) -> None:
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["scripts"] == {"bluewatt": "bluewatt.cli:main"}


@pytest.mark.parametrize("name", SCRIPTS)
def test_scripts_are_strict_and_short(root: Path, name: str) -> None:
    script = root / "scripts" / name
    text = script.read_text(encoding="utf-8")
    assert text.startswith("#!/usr/bin/env bash\n# ")
    assert "\nset -euo pipefail\n" in text
    assert text.count("\n") <= 75
    assert script.stat().st_mode & 0o111
    subprocess.run(["bash", "-n", str(script)], check=True)


@pytest.mark.parametrize("name", ["setup", "test", "check", "lock"])
def test_scripts_explain_themselves(root: Path, name: str) -> None:
    told = subprocess.run([str(root / "scripts" / name), "-h"], capture_output=True, text=True, check=True)
    assert told.stdout.startswith(f"usage: scripts/{name}")


def test_the_pipeline_runs_the_test_command_and_nothing_else(root: Path) -> None:
    lines = (root / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    assert lines[:2] == ["#!/usr/bin/env bash", "set -euo pipefail"]
    assert len(lines) == 3
    assert lines[2].endswith('/scripts/test"')
