"""docs/reference/cli.md says what the commands say of themselves."""

from __future__ import annotations

from pathlib import Path

from bluewatt.cli import COMMANDS
from bluewatt.cli.reference import CLI_PAGE, EXIT_CODES, PAGES, page
from bluewatt.errors import BluewattError

REFERENCE = Path(__file__).resolve().parents[2] / "docs" / "reference"


def errors(cls: type[BluewattError] = BluewattError) -> set[type[BluewattError]]:
    return {cls}.union(*(errors(child) for child in cls.__subclasses__()))


def test_the_page_is_fresh() -> None:
    assert (REFERENCE / "cli.md").read_text("utf-8") == page(CLI_PAGE), "run scripts/reference"


def test_every_page_is_on_disk_and_nothing_else() -> None:
    made = {path.stem for path in REFERENCE.glob("*.md") if "sources" not in path.stem}
    assert set(PAGES) <= made


def test_every_command_has_its_section() -> None:
    text = page(CLI_PAGE)
    assert [name for name in COMMANDS if f"## bluewatt {name}\n" not in text] == []


def test_every_exit_code_of_an_error_is_explained() -> None:
    assert {cls.exit_code for cls in errors()} <= set(EXIT_CODES)
