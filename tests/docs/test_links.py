"""Every link and picture of the pages leads somewhere, and every page can be reached from docs/index.md."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
INDEX = "docs/index.md"
LINK = re.compile(r"!?\[[^\]]*\]\((?P<target>[^)\s]+)\)")
CODE = re.compile(r"^```.*?^```$|`[^`\n]*`", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^#{1,6} (.+)$", re.MULTILINE)


def pages() -> dict[str, str]:
    files = [*ROOT.glob("*.md"), *sorted((ROOT / "docs").rglob("*.md"))]
    return {path.relative_to(ROOT).as_posix(): path.read_text("utf-8") for path in files}


def links(text: str) -> list[str]:
    """The targets of the relative links of a page, code left out."""
    targets = [found["target"] for found in LINK.finditer(CODE.sub("", text))]
    return [target for target in targets if not re.match(r"[a-z]+:", target)]


def anchors(text: str) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    heads = (re.sub(r"[`*]|\[([^\]]*)\]\([^)]*\)", r"\1", head) for head in HEADING.findall(CODE_BLOCK.sub("", text)))
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


CODE_BLOCK = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"`((?:scripts|tests|bench|fuzz|docs|src|schema|tables|wire|model|services|transports|exports|docgen"
                  r"|app|cli)(?:/[\w./-]*\w/?)?(?:\.py)?)`")  # fmt: skip
PAGES = pages()


def resolved(page: str, target: str) -> str:
    path = (ROOT / page).parent / target.partition("#")[0] if target.partition("#")[0] else ROOT / page
    return path.resolve().relative_to(ROOT).as_posix()


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    assert [target for target in links(PAGES[page]) if not (ROOT / resolved(page, target)).exists()] == []


@pytest.mark.parametrize("page", PAGES)
def test_links_to_headings_find_them(page: str) -> None:
    lost = []
    for target in links(PAGES[page]):
        anchor, text = target.partition("#")[2], PAGES.get(resolved(page, target))
        if anchor and text is not None and anchor not in anchors(text):
            lost.append(target)
    assert lost == []


def test_every_page_can_be_reached_from_the_index() -> None:
    reached, ahead = set[str](), [INDEX]
    while ahead:
        page = ahead.pop()
        if page in reached or page not in PAGES:
            continue
        reached.add(page)
        ahead += [resolved(page, target) for target in links(PAGES[page])]
    assert {page for page in PAGES if page.startswith("docs/")} - reached == set()


def test_files_named_in_the_text_exist() -> None:
    """`wire/victronconnect/session.py` and the like: files of the project, named from its root or from the package."""
    named = {(page, name) for page, text in PAGES.items() for name in re.findall(FILE, CODE_BLOCK.sub("", text))}
    assert len(named) > 10
    places = (ROOT, ROOT / "src" / "bluewatt")
    assert {
        (page, name)
        for page, name in named
        if not any((place / name).exists() or (place / f"{name}.py").exists() for place in places)
    } == set()


def test_every_picture_is_shown() -> None:
    shown = {resolved(page, target) for page, text in PAGES.items() for target in links(text)}
    pictures = {path.relative_to(ROOT).as_posix() for path in (ROOT / "docs" / "images").glob("*")}
    assert pictures - shown == set()


def test_the_search_for_links_finds_them() -> None:
    text = "See [one](a.md), ![two](b.svg), [three](https://example.org), `[four](c.md)`.\n```text\n[five](d.md)\n```\n"
    assert links(text) == ["a.md", "b.svg"]
    assert anchors("# The `scan` command: why?\n## A [link](x.md)\n") == {"the-scan-command-why", "a-link"}
