"""Every background task has an owner: none is started into the blue, where its error would be lost with it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

OWNED = {
    ("transports/background.py", "self._group.create_task"): "the owner itself",
    (
        "transports/ble/adapter.py",
        "asyncio.create_task",
    ): "a call into the library, awaited; kept until it ends if it hangs",
    (
        "transports/ble/victronconnect.py",
        "asyncio.create_task",
    ): "the writer of a link, whose every error is the link's end",
    ("transports/ble/smartshunt.py", "asyncio.create_task"): "the keep-alive of a link, likewise",
    ("app/lifetime.py", "asyncio.create_task"): "the command, awaited",
    ("cli/emulate.py", "group.create_task"): "a TaskGroup around the body",
}
"""Who starts tasks, and who hears of their errors."""

STARTS = {"create_task", "ensure_future", "run_coroutine_threadsafe"}


def started(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            if name.rpartition(".")[2] in STARTS:
                yield name


def test_every_task_has_an_owner(root: Path) -> None:
    package = root / "src" / "bluewatt"
    found = {
        (path.relative_to(package).as_posix(), name)
        for path in package.rglob("*.py")
        for name in started(ast.parse(path.read_text(encoding="utf-8")))
    }
    assert found == set(OWNED)


@pytest.mark.parametrize(
    "line", ["asyncio.get_running_loop().create_task(work())", "asyncio.ensure_future(work())", "create_task(work())"]
)
def test_a_task_without_an_owner_would_be_seen(line: str) -> None:
    assert list(started(ast.parse(line)))
