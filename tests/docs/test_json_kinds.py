"""Every `kind` and `message` of a line of JSON is on its page, whoever writes it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from bluewatt.model.dialogue.conversation import CONTROL, DAMAGED, GATT, LINK, MESSAGE_NAMES, VREG
from bluewatt.model.reading import ADVERTISEMENT
from bluewatt.model.vesmart import VESMART_MEDIUM

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src/bluewatt"
WRITERS = ("model", "services", "exports", "app", "cli")
"""The packages from which lines of JSON come; `docgen` and `wire` have kinds of their own, which are no lines."""
PAGE = (ROOT / "docs/reference/json.md").read_text("utf-8")

NAMED = {
    "medium": {ADVERTISEMENT},
    "reading.medium": {VESMART_MEDIUM, GATT},
    "line.kind": {VREG, CONTROL, GATT, LINK, DAMAGED},
    "kind": set[str](),  # of an instance, in a list of devices: a number
}
"""Expression after "kind" in the source → what it can be."""


def written() -> Iterator[ast.expr]:
    """The values that an object literal in the source gives to "kind"."""
    for package in WRITERS:
        for path in sorted((SOURCE / package).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.Dict):
                    for key, value in zip(node.keys, node.values, strict=True):
                        if isinstance(key, ast.Constant) and key.value == "kind":
                            yield value


def kinds() -> set[str]:
    """Every kind of line there is."""
    found: set[str] = set()
    for value in written():
        if isinstance(value, ast.Constant):
            found.add(str(value.value))
        else:
            expression = ast.unparse(value)
            assert expression in NAMED, f'"kind": {expression} is new: say in NAMED what it can be'
            found |= NAMED[expression]
    return found


def documented() -> set[str]:
    """The kinds in the first column of the table on the page."""
    table = PAGE.partition("| `kind` | what | written by |\n")[2].partition("\n\n")[0]
    return {word for row in table.splitlines() for word in re.findall(r"`(\w+)`", row.split(" | ")[0])}


def test_every_kind_is_on_the_page_and_no_other() -> None:
    assert {"advertisement", "undecoded", "vreg", "history_day", "difference"} <= kinds()
    assert documented() == kinds()


def test_every_message_is_on_the_page() -> None:
    words = set(MESSAGE_NAMES.values())
    assert {"value", "set_values", "limits"} <= words, "words that programs rely on"
    assert words <= set(re.findall(r'`"(\w+)"`', PAGE))
