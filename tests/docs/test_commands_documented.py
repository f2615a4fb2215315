"""Documentation that cannot lie: every command and option is described, and every command line shown exists."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

ROOT = Path(__file__).resolve().parents[2]
SHOWN = re.compile(r"^\$ (?:[\w./]*/)?bluewatt((?: .*)?)$", re.MULTILINE)
"""A command line in a console block: `$ bluewatt scan --json`, with or without a folder before it."""


def front_door() -> click.Group | None:
    import bluewatt.cli

    main = getattr(bluewatt.cli, "main", None)
    return main if isinstance(main, click.Group) else getattr(bluewatt.cli, "bluewatt", None)


def commands() -> dict[str, click.Command]:
    """Every command by its words: `decode`, `store vacuum`."""
    group = front_door()
    return dict(walk(group, ())) if isinstance(group, click.Group) else {}


def walk(group: click.Group, above: tuple[str, ...]) -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if command is None or command.hidden:
            continue
        yield " ".join((*above, name)), command
        if isinstance(command, click.Group):
            yield from walk(command, (*above, name))


def options(command: click.Command) -> list[str]:
    """The long spelling of every option a person may use."""
    shown = [item for item in command.params if isinstance(item, click.Option) and not item.hidden]
    return [max(item.opts, key=len) for item in shown]


def pages() -> dict[str, str]:
    files = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    return {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8") for path in files}


COMMANDS = commands()
needs_commands = pytest.mark.skipif(not COMMANDS, reason="the command line has no commands yet")


def words(text: str, option: str) -> bool:
    return re.search(rf"(?<![\w-]){re.escape(option)}(?![\w-])", text) is not None


@needs_commands
@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_command_and_its_options_are_documented(name: str) -> None:
    about = [text for text in pages().values() if f"bluewatt {name}" in text]
    assert about, f"no page under docs/ shows `bluewatt {name}`"
    missing = [option for option in options(COMMANDS[name]) if not any(words(text, option) for text in about)]
    assert missing == [], f"pages that show `bluewatt {name}` do not mention these options"


@needs_commands
@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_command_explains_itself(name: str) -> None:
    command = COMMANDS[name]
    assert command.help, f"`bluewatt {name} --help` says nothing"
    silent = [item.opts[0] for item in command.params if isinstance(item, click.Option) and not item.help]
    assert silent == []


def shown_lines() -> list[tuple[str, str]]:
    return [(page, line.strip()) for page, text in pages().items() for line in SHOWN.findall(text)]


@needs_commands
@pytest.mark.parametrize(("page", "line"), shown_lines())
def test_shown_command_line_exists(page: str, line: str) -> None:
    arguments = re.split(r"\s[|>#]\s", line)[0].split()
    if not arguments or arguments[0].startswith("-"):
        return
    depth = 2 if " ".join(arguments[:2]) in COMMANDS else 1
    name = " ".join(arguments[:depth])
    assert name in COMMANDS, f"{page} shows `bluewatt {line}`: there is no such command"
    known = {option for item in COMMANDS[name].params for option in (*item.opts, *item.secondary_opts)} | {"--help"}
    used = {word.partition("=")[0] for word in arguments[depth:] if re.match(r"--\w", word)}
    assert used <= known, f"{page} shows options that `bluewatt {name}` does not have"
