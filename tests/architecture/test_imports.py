"""The layers are as drawn, and no library is used that nobody declared."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

EVERYWHERE = {"msgspec"}
"""Libraries that any layer may import, so no contract keeps them in one package."""


@pytest.fixture(scope="module")
def project(root: Path) -> dict:
    return tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def third_party(root: Path) -> dict[str, set[str]]:
    """Top-level name of each library the package imports, with the files that do."""
    found: dict[str, set[str]] = {}
    for path in sorted((root / "src").rglob("*.py")):
        for name in imported_names(ast.parse(path.read_text(encoding="utf-8"))):
            if name not in sys.stdlib_module_names and name != "bluewatt":
                found.setdefault(name, set()).add(path.name)
    return found


def imported_names(tree: ast.Module) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.partition(".")[0])
    return names


def test_contracts_are_kept(root: Path) -> None:
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-logo", "--no-cache"]
    checked = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert ", 0 broken" in checked.stdout


def test_every_library_has_its_room(project: dict, third_party: dict[str, set[str]]) -> None:
    contracts = project["tool"]["importlinter"]["contracts"]
    kept = {name for contract in contracts for name in contract.get("forbidden_modules", [])}
    free = {name: files for name, files in third_party.items() if name not in kept | EVERYWHERE}
    assert not free, f"no import contract says where these may be imported: {free}"


def test_every_library_is_declared(project: dict, third_party: dict[str, set[str]]) -> None:
    extras = project["project"]["optional-dependencies"]
    lines = project["project"]["dependencies"] + [
        line for name, extra in extras.items() if name != "dev" for line in extra
    ]
    declared = {canonicalize_name(Requirement(line).name) for line in lines}
    declared.add("dbus-fast")  # bleak's own on Linux, shared with the pairing agent
    providers = packages_distributions()
    undeclared = {
        name: files
        for name, files in third_party.items()
        if name in providers and not {canonicalize_name(provider) for provider in providers[name]} & declared
    }
    assert not undeclared, f"imported by the package, declared by no extra: {undeclared}"


def test_core_install_is_five_libraries(project: dict) -> None:
    names = {Requirement(line).name for line in project["project"]["dependencies"]}
    assert names == {"cryptography", "cbor2", "msgspec", "click", "rich"}


def test_all_names_every_extra(project: dict) -> None:
    extras = project["project"]["optional-dependencies"]
    (everything,) = [Requirement(line) for line in extras["all"]]
    assert everything.extras == set(extras) - {"all", "dev"}


CORE_ONLY = """
import importlib, pkgutil, sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in sys.argv[1].split():
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Absent())
import bluewatt, bluewatt.cli
for layer in ("tables", "wire", "model"):
    package = importlib.import_module(f"bluewatt.{layer}")
    for module in pkgutil.walk_packages(package.__path__, f"bluewatt.{layer}."):
        if not module.name.startswith(("bluewatt.wire.instant_readout.batch", "bluewatt.wire.containers.columns")):
            importlib.import_module(module.name)
for name in bluewatt.__all__:
    getattr(bluewatt, name)
"""


def test_the_core_install_decodes(project: dict) -> None:
    """Every module from tables to model, the public names and the command line come up without any extra."""
    kept = {name for item in project["tool"]["importlinter"]["contracts"] for name in item.get("forbidden_modules", ())}
    extras = kept - sys.stdlib_module_names - {"click", "rich", "cryptography", "cbor2"}
    assert {"bleak", "bumble", "numpy"} <= extras
    command = [sys.executable, "-c", CORE_ONLY, " ".join(sorted(extras))]
    started = subprocess.run(command, capture_output=True, text=True, check=False)
    assert started.returncode == 0, started.stderr
