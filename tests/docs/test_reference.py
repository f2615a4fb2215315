"""The generated pages of docs/reference say what the tables say."""

from __future__ import annotations

from pathlib import Path

import pytest

from bluewatt.docgen import PAGES, page

REFERENCE = Path(__file__).resolve().parents[2] / "docs" / "reference"


@pytest.mark.parametrize("name", PAGES)
def test_the_page_is_fresh(name: str) -> None:
    written = (REFERENCE / f"{name}.md").read_text("utf-8")
    assert written == page(name), "run scripts/reference"
