"""Changes one text in a TOML file and nothing else: comments, order and layout of the user's file stay.

The line that holds the value is found by reading each line as TOML of its own, with the header above it. What comes out
is read again as a whole: it must say exactly what the file said, but for the one change. A layout in which the line is
not found (a value over several lines, a table in one line without the name) raises NotFound, and nothing is written.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

Place = tuple[str, ...]
"""The place of a value: the names of the tables above it, and its own."""


class NotFound(Exception):
    """The file has a layout in which the value is not found."""


class _Statement(NamedTuple):
    """The meaning of one line."""

    line: int
    place: Place
    value: Any
    """The value, None for the header of a table."""


def with_value(text: str, place: Place, old: str, new: str, *, remark: str = "") -> str:
    """Return the text with another value at a place; `remark` becomes a comment above its line. Raises NotFound."""
    lines = text.split("\n")
    for statement in _statements(lines):
        if statement.place == place and statement.value == old:
            line = lines[statement.line]
            quoted = next((f"{quote}{old}{quote}" for quote in "\"'" if f"{quote}{old}{quote}" in line), None)
            if quoted is None:
                break
            before = [f"{line[: len(line) - len(line.lstrip())]}# {remark}{_ending(line)}"] if remark else []
            lines[statement.line : statement.line + 1] = [*before, line.replace(quoted, f'"{new}"', 1)]
            return _checked(text, "\n".join(lines), place, new)
    raise NotFound


def with_new_value(text: str, table: Place, name: str, new: str) -> str:
    """Return the text with one more value in a table that has a header line. Raises NotFound."""
    lines = text.split("\n")
    for statement in _statements(lines):
        if statement.place == table and statement.value is None:
            line = lines[statement.line]
            lines.insert(statement.line + 1, f'{name} = "{new}"{_ending(line)}')
            return _checked(text, "\n".join(lines), (*table, name), new)
    raise NotFound


def with_new_table(text: str, table: Place, values: Mapping[str, str]) -> str:
    """Return the text with one more table at its end. Raises NotFound if that is impossible."""
    head = ".".join(name if name.isidentifier() and name.isascii() else quoted(name) for name in table)
    rows = "".join(f"{name} = {quoted(value)}\n" for name, value in values.items())
    gap = "" if text.endswith("\n") or not text else "\n"
    made = f"{text}{gap}\n[{head}]\n{rows}"
    for name, value in values.items():
        _compare(made, (*table, name), value)
    if _without(_read(made), table) != _without(_read(text), table):
        raise NotFound
    return made


def quoted(text: str) -> str:
    """Return a text as TOML writes it."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(f"\\u{ord(one):04x}" if ord(one) < 32 or ord(one) == 127 else one for one in escaped) + '"'


def _statements(lines: Sequence[str]) -> Iterator[_Statement]:
    table: Place = ()
    for number, line in enumerate(lines):
        try:
            said = tomllib.loads(line.removesuffix("\r"))
        except tomllib.TOMLDecodeError:
            continue  # a part of a value over several lines
        if line.lstrip().startswith("["):
            table = _only(said)
            yield _Statement(number, table, None)
        else:
            yield from (_Statement(number, table + place, value) for place, value in _leaves(said))


def _only(said: Any) -> Place:
    """Return the names in the header of a table."""
    names: list[str] = []
    while isinstance(said, dict) and said:
        name, said = next(iter(said.items()))
        names.append(name)
    return tuple(names)


def _leaves(said: Mapping[str, Any], above: Place = ()) -> Iterator[tuple[Place, Any]]:
    for name, value in said.items():
        if isinstance(value, dict):
            yield from _leaves(value, (*above, name))
        else:
            yield (*above, name), value


def _ending(line: str) -> str:
    return "\r" if line.endswith("\r") else ""


def _checked(before: str, after: str, place: Place, new: str) -> str:
    """Return the new text if it differs from the old one in the value at a place only; else raise NotFound."""
    _compare(after, place, new)
    if _without(_read(after), place) != _without(_read(before), place):
        raise NotFound
    return after


def _compare(text: str, place: Place, value: str) -> None:
    found: Any = _read(text)
    for name in place:
        found = found.get(name) if isinstance(found, dict) else None
    if found != value:
        raise NotFound


def _read(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        raise NotFound from None


def _without(said: dict[str, Any], place: Place) -> dict[str, Any]:
    """Return what a file says except at one place; a table that holds nothing else is left out too."""
    name, *rest = place
    kept = {key: value for key, value in said.items() if key != name}
    inner = said.get(name)
    if rest and isinstance(inner, dict) and (left := _without(inner, tuple(rest))):
        kept[name] = left
    return kept
