"""What the pages show is what happens: their commands and programs are run, and the output shown is the output.

A page marks a block with a comment on the line before it, `<!-- tested -->`, or `<!-- tested: exit 5 -->` if its last
command ends with that code. The blocks of a page run in their order, in one empty folder, without network, Bluetooth
or configuration. In a console block `$ ` begins a command and the lines below it are its output; the output of a Python
block stands in a `text` block right behind it. `...` in shown output stands for anything, on a line of its own for any
number of lines. What cannot run here says why instead: `<!-- not run: needs an adapter -->`.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[2]
FENCE = re.compile(r"(?P<mark><!-- [^\n]* -->\n)?^```(?P<kind>\w*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
MARK = re.compile(r"<!-- (?:tested(?:: exit (?P<exit>\d+))?|(?P<not_run>not run: .+)) -->")
RUNNABLE = ("console", "python")
MARKED_THROUGHOUT = (
    "README.md", "CONTRIBUTING.md", "docs/tour.md", "docs/explanation/advertisements.md",
    "docs/explanation/keys-and-trust.md", "docs/explanation/victronconnect.md",
    "docs/explanation/smartshunt-service.md", "docs/explanation/vesmart.md",
    *(path.relative_to(ROOT).as_posix() for path in sorted((ROOT / "docs/how-to").glob("*.md"))),
)  # fmt: skip
"""Pages on which every console and Python block is either tested or says why not."""
SECONDS = 60
ANYTHING = "..."


class Block(NamedTuple):
    """One fenced block of a page."""

    mark: str | None
    kind: str
    body: str
    line: int


def blocks(text: str) -> Iterator[Block]:
    for found in FENCE.finditer(text):
        mark = found["mark"]
        yield Block(
            mark.strip() if mark else None, found["kind"], found["body"], text.count("\n", 0, found.start()) + 1
        )


def pages() -> dict[str, str]:
    files = [*ROOT.glob("*.md"), *sorted((ROOT / "docs").rglob("*.md"))]
    return {path.relative_to(ROOT).as_posix(): path.read_text("utf-8") for path in files}


def is_tested(block: Block) -> bool:
    found = MARK.fullmatch(block.mark or "")
    return found is not None and found["not_run"] is None


def commands(body: str) -> list[tuple[str, str]]:
    """(command, shown output) of a console block; a line that ends with a backslash goes on with the next."""
    found: list[tuple[str, str]] = []
    for line in body.splitlines():
        if found and found[-1][0].endswith("\\"):
            command, _ = found[-1]
            found[-1] = (f"{command}\n{line}", "")
        elif line.startswith("$ "):
            found.append((line[2:], ""))
        else:
            assert found, f"a console block begins with '$ ': {line}"
            command, output = found[-1]
            found[-1] = (command, f"{output}{line}\n")
    return found


def matches(shown: str, real: str) -> bool:
    """Whether output is as shown; how many spaces are between words does not count, so a table may be set wider."""
    lines = []
    for line in evened(shown):
        parts = [re.escape(part) for part in line.split(ANYTHING)]
        lines.append(r"(?:.*\n)*?" if line == ANYTHING else ".*".join(parts) + r"\n")
    return re.fullmatch("".join(lines), "".join(f"{line}\n" for line in evened(real))) is not None


def evened(text: str) -> list[str]:
    return [" ".join(line.split()) for line in text.strip("\n").splitlines()]


def run(arguments: list[str], folder: Path, given: str = "") -> tuple[int, str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("BLUEWATT", "XDG"))}
    environment |= {
        "PATH": os.pathsep.join((str(Path(sys.executable).parent), environment.get("PATH", ""))),
        "HOME": str(folder), "TZ": "UTC", "COLUMNS": "110", "PYTHONWARNINGS": "error",
    }  # fmt: skip
    done = subprocess.run(
        arguments, cwd=folder, env=environment, input=given, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, timeout=SECONDS, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout


def run_console(block: Block, folder: Path, code: int) -> None:
    *before, last = commands(block.body)
    for command, shown in (*before, last):
        ended, output = run(["bash", "-c", f"umask 022; {command}"], folder)
        wanted = code if (command, shown) == last else 0
        assert ended == wanted, f"$ {command}\nended with {ended}:\n{output}"
        assert not shown or matches(shown, output), f"$ {command}\nprinted:\n{output}"


def run_python(block: Block, folder: Path, code: int, shown: str) -> None:
    ended, output = run([sys.executable, "-"], folder, block.body)
    assert ended == code, output
    assert not shown or matches(shown, output), f"printed:\n{output}"


TESTED = {name: found for name, text in pages().items() if any(map(is_tested, found := list(blocks(text))))}


@pytest.mark.parametrize("page", TESTED)
def test_what_the_page_shows_happens(page: str, tmp_path: Path) -> None:
    found = TESTED[page]
    for number, block in enumerate(found):
        if not is_tested(block):
            continue
        mark = MARK.fullmatch(block.mark or "")
        code = int(mark["exit"] or 0) if mark else 0
        following = found[number + 1] if number + 1 < len(found) else None
        try:
            if block.kind == "console":
                run_console(block, tmp_path, code)
            else:
                run_python(block, tmp_path, code, following.body if following and following.kind == "text" else "")
        except AssertionError as error:
            error.add_note(f"{page}, line {block.line}")
            raise


@pytest.mark.parametrize("page", [name for name in MARKED_THROUGHOUT if name in pages()])
def test_every_block_is_tested_or_says_why_not(page: str) -> None:
    runnable = [block for block in blocks(pages()[page]) if block.kind in RUNNABLE]
    unmarked = [f"line {block.line}" for block in runnable if MARK.fullmatch(block.mark or "") is None]
    assert unmarked == [], f"{page}: write <!-- tested --> or <!-- not run: why --> above these blocks"


def test_only_what_can_be_run_is_marked_as_tested() -> None:
    odd = [f"{page}:{block.line}" for page, found in TESTED.items() for block in found if is_tested(block)
           and block.kind not in RUNNABLE]  # fmt: skip
    assert odd == []


def test_the_tour_is_tested() -> None:
    assert len([block for block in TESTED["docs/tour.md"] if is_tested(block)]) >= 8


@pytest.mark.parametrize(
    ("shown", "real", "same"),
    [
        ("one\n...\nfour", "one\ntwo\nthree\nfour\n", True),
        ("one\n...\nfour", "one\nfour\n", True),
        ("one\n...\nfour", "one\ntwo\n", False),
        ("1... V", "12.53 V  \n", True),
        ("1... V", "12.53 A\n", False),
        ("Name  Value", "Name      Value\n", True),
        ("a.c", "abc\n", False),
    ],
)
def test_the_comparison_can_fail(shown: str, real: str, same: bool) -> None:
    assert matches(shown, real) is same


def test_a_wrong_output_fails(tmp_path: Path) -> None:
    run_console(Block(None, "console", "$ echo 12.53 V\n12... V\n", 1), tmp_path, 0)
    with pytest.raises(AssertionError, match="printed"):
        run_console(Block(None, "console", "$ echo 12.53 V\n13.00 V\n", 1), tmp_path, 0)
    with pytest.raises(AssertionError, match="ended with 3"):
        run_console(Block(None, "console", "$ exit 3\n", 1), tmp_path, 0)
