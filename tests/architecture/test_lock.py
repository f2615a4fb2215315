"""The lock file: complete, hashed, and without a trace of where it was made."""

from __future__ import annotations

import itertools
import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name


@pytest.fixture(scope="module")
def lock(root: Path) -> str:
    return (root / "requirements.lock").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def pins(lock: str) -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9-]+)==(\S+)", lock, re.MULTILINE))


def test_no_address_no_path(lock: str) -> None:
    for trace in ("://", "file:", "find-links", "index-url", "trusted-host", " @ "):
        assert trace not in lock
    assert not re.search(r"(^|\s)/\w", lock)
    assert not re.search(r"^-", lock, re.MULTILINE)


def test_every_library_is_pinned_and_hashed(lock: str) -> None:
    entries = [entry for entry in re.split(r"\n(?=[a-z])", lock) if not entry.startswith("#")]
    assert len(entries) > 50
    shape = re.compile(r"[a-z0-9-]+==\S+ \\\n(    --hash=sha256:[0-9a-f]{64}( \\)?\n)+")
    for entry in entries:
        assert shape.match(entry + "\n"), entry.splitlines()[0]


def test_the_lock_answers_to_pyproject(root: Path, pins: dict[str, str]) -> None:
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = project["dependencies"] + [line for extra in project["optional-dependencies"].values() for line in extra]
    for wanted in map(Requirement, lines):
        name = canonicalize_name(wanted.name)
        if name != "bluewatt":
            assert name in pins, f"{name} is not in requirements.lock: run scripts/lock"
            assert wanted.specifier.contains(pins[name]), f"{name} {pins[name]} does not fit {wanted}: run scripts/lock"


def test_the_virtual_radio_is_pinned_exactly(root: Path) -> None:
    extras = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    (bumble,) = [Requirement(line) for line in extras["emulator"]]
    assert [clause.operator for clause in bumble.specifier] == ["=="]


def test_the_architecture_page_tells_the_locked_versions(root: Path, pins: dict[str, str]) -> None:
    page = (root / "docs" / "architecture.md").read_text(encoding="utf-8")
    rows = [
        [cell.strip() for cell in line.strip("| ").split("|")] for line in page.splitlines() if line.startswith("|")
    ]
    told = {}
    for row in rows:
        for cell, version in itertools.pairwise(row):
            if re.match(r"\d+\.\d", version):
                told |= dict(zip(re.split(r",\s*", cell), re.split(r",\s*", version), strict=True))
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = [line for name, extra in project["optional-dependencies"].items() if name != "dev" for line in extra]
    wanted = {canonicalize_name(Requirement(line).name) for line in project["dependencies"] + extras} - {"bluewatt"}
    assert told == {name: pins[name] for name in wanted}
