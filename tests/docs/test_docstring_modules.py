"""A module that a docstring or comment of the source names exists."""

from __future__ import annotations

import re
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2] / "src" / "bluewatt"
MODULES = {path.relative_to(SOURCE).with_suffix("").as_posix() for path in SOURCE.rglob("*.py")}
PACKAGES = {path.parent.relative_to(SOURCE).as_posix() for path in SOURCE.rglob("*.py")}
STEMS = {name.rpartition("/")[2] for name in MODULES | PACKAGES}

AS_PATH = re.compile(r"\b((?:cli|app|docgen|exports|services|transports|model|wire|tables)/[\w/]+)\.py\b")
"""Such as wire/row_compiler.py."""
DOTTED = re.compile(
    r"`(?:bluewatt\.)?((?:cli|app|docgen|exports|services|transports|model|wire|tables)(?:\.[a-z_]+)+)`"
)
"""Such as `services.commander`; the last part may be a name in the module."""
MEMBER = re.compile(r"`([a-z]+_[a-z_]+)\.([A-Z]\w+)`")
"""Such as `session_client.ClientSide`."""


def missing(text: str) -> list[str]:
    """The modules a text names that do not exist."""
    paths = [name for name in AS_PATH.findall(text) if name not in MODULES]
    dotted = [name.replace(".", "/") for name in DOTTED.findall(text)]
    unknown = [name for name in dotted if name not in MODULES | PACKAGES and name.rpartition("/")[0] not in MODULES]
    return [*paths, *unknown, *(stem for stem, _ in MEMBER.findall(text) if stem not in STEMS)]


def test_modules_named_in_the_source_exist() -> None:
    assert {
        path.relative_to(SOURCE).as_posix(): names
        for path in SOURCE.rglob("*.py")
        if (names := missing(path.read_text("utf-8")))
    } == {}


def test_a_module_that_is_gone_is_found() -> None:
    assert missing("see wire/plan.py, `wire.session` and `session_client.ClientSide`") == [
        "wire/plan", "wire/session", "session_client",
    ]  # fmt: skip
