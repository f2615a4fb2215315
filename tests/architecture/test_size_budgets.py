"""Files and functions stay small, and every public name says what it is."""

from __future__ import annotations

import ast
import statistics
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

FILE_LINES = 400
FUNCTION_LINES = 60
MEDIAN_FUNCTION_LINES = 8
PACKAGE_FILES = 18
LARGER_PACKAGES = {"bluewatt/cli", "bluewatt/tables/records"}
"""A file per command, a file per record: more of them make nothing harder to find."""

TWO_THINGS = {"command", "page"}
"""Public names that stand for two things: the function that `cli` and `docgen` call in each of their modules."""

Function = ast.FunctionDef | ast.AsyncFunctionDef
Documented = Function | ast.ClassDef


@pytest.fixture(scope="module")
def modules(root: Path) -> dict[str, str]:
    """Source of every module of the package, by its path below src."""
    source = root / "src"
    return {str(path.relative_to(source)): path.read_text(encoding="utf-8") for path in sorted(source.rglob("*.py"))}


def functions(modules: dict[str, str]) -> Iterator[tuple[str, Function]]:
    for path, text in modules.items():
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, Function):
                yield f"{path}:{node.lineno} {node.name}", node


def length(function: Function) -> int:
    """Lines from `def` to the end, the docstring not counted: explaining costs nothing."""
    first = function.body[0]
    docstring = (first.end_lineno or 0) - first.lineno + 1 if ast.get_docstring(function) is not None else 0
    return (function.end_lineno or function.lineno) - function.lineno + 1 - docstring


def public(body: list[ast.stmt], prefix: str) -> Iterator[tuple[str, Documented]]:
    """Public functions and classes of a module or class, and what is in them; a property's setter shares its words."""
    for node in body:
        if not isinstance(node, Documented) or node.name.startswith("_") or borrows_words(node):
            continue
        yield f"{prefix}{node.name}", node
        if isinstance(node, ast.ClassDef):
            yield from public(node.body, f"{prefix}{node.name}.")


def borrows_words(node: Documented) -> bool:
    marks = {ast.unparse(decorator).rpartition(".")[2] for decorator in node.decorator_list}
    return bool(marks & {"setter", "overload", "override"})


def test_files_stay_small(modules: dict[str, str]) -> None:
    counts = {path: text.count("\n") for path, text in modules.items() if "tables/" not in path}
    assert {path: lines for path, lines in counts.items() if lines > FILE_LINES} == {}


def test_functions_stay_small(modules: dict[str, str]) -> None:
    lengths = {name: length(node) for name, node in functions(modules)}
    assert {name: lines for name, lines in lengths.items() if lines > FUNCTION_LINES} == {}


def test_the_median_function_is_short(modules: dict[str, str]) -> None:
    lengths = [length(node) for _, node in functions(modules)]
    assert statistics.median(lengths) < MEDIAN_FUNCTION_LINES


def test_packages_stay_small(modules: dict[str, str]) -> None:
    files = Counter(path.rpartition("/")[0] for path in modules if not path.endswith("__init__.py"))
    assert {package: count for package, count in files.items() if count > PACKAGE_FILES}.keys() <= LARGER_PACKAGES


def test_a_public_name_is_one_thing(modules: dict[str, str]) -> None:
    places: dict[str, list[str]] = {}
    for path, text in modules.items():
        for node in ast.parse(text).body:
            if isinstance(node, Documented) and not node.name.startswith("_") and node.name not in TWO_THINGS:
                places.setdefault(node.name, []).append(path)
    assert {name: found for name, found in places.items() if len(set(found)) > 1} == {}


def test_every_public_name_says_what_it_is(modules: dict[str, str]) -> None:
    silent = []
    for path, text in modules.items():
        tree = ast.parse(text)
        if ast.get_docstring(tree) is None:
            silent.append(path)
        silent += [name for name, node in public(tree.body, f"{path} ") if ast.get_docstring(node) is None]
    assert silent == []
