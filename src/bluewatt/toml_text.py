"""A TOML file that people write: its values by place, and what is wrong with it by line, in words for people."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable
from datetime import date, datetime, time
from difflib import get_close_matches
from typing import Any

TomlPath = tuple[str, ...]
"""Where a value stands: the names of the tables around it, then its own."""

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_POSITION = re.compile(r"(?P<what>.*) \(at (?:line (?P<line>\d+), column \d+|end of document)\)", re.DOTALL)

_KINDS: dict[type, str] = {
    bool: "true or false", int: "a number", float: "a number", str: "a text", list: "a list", dict: "a table",
    datetime: "a date", date: "a date", time: "a time of day",
}  # fmt: skip


class TomlProblem(ValueError):
    """What is wrong with a TOML text; `line` counts from 1, None if it is not known."""

    def __init__(self, message: str, line: int | None) -> None:
        super().__init__(message)
        self.line = line


class TomlText:
    """A TOML text, parsed; raises TomlProblem if it is none. Every method raises it for a value of the wrong kind."""

    def __init__(self, text: str) -> None:
        self._text = text
        try:
            self._root = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            found = _POSITION.fullmatch(str(error))
            what, line = (found["what"], found["line"]) if found else (str(error), None)
            last = max(text.count("\n") + (not text.endswith("\n")), 1)
            raise TomlProblem(f"this is not TOML: {what[:1].lower()}{what[1:]}", int(line or last)) from None

    def table(self, *place: str, hint: str) -> dict[str, Any]:
        """Return a table, empty if it is not there; `hint` shows how one is written."""
        found = self._value(place)
        if found is None:
            return {}
        if not isinstance(found, dict):
            raise self._wrong_kind(place, found, hint)
        return found

    def texts(self, *place: str, hint: str) -> tuple[str, ...]:
        """Return a list of texts, empty if it is not there; `hint` shows how one is written."""
        found = self._value(place)
        if found is None:
            return ()
        if not isinstance(found, list):
            raise self._wrong_kind(place, found, hint)
        for one in found:
            if not isinstance(one, str):
                raise self.problem(place, f"holds {_kind(one)}; write texts, such as {hint}")
        return tuple(found)

    def text(self, *place: str, hint: str) -> str:
        """Return a text, empty if it is not there; `hint` shows how one is written."""
        found = self._value(place)
        if found is None:
            return ""
        if not isinstance(found, str):
            raise self._wrong_kind(place, found, hint)
        return found

    def check_names(self, place: TomlPath, known: Iterable[str], noun: str) -> None:
        """Raise TomlProblem for a name in a table that is none of the known ones; `noun` is what they are."""
        names = list(known)
        for name in self._value(place) or {}:
            if name not in names:
                raise self.problem((*place, name), f"is not a {noun}: {suggestion(name, names)}")

    def problem(self, place: TomlPath, what: str) -> TomlProblem:
        """Return an error about a value; the sentence begins with its place and goes on with `what`."""
        return TomlProblem(f"{dotted(place)} {what}", self.line_of(place))

    def line_of(self, place: TomlPath) -> int | None:
        """Return the line where a value begins, counted from 1; None if it is not there.

        tomllib keeps no lines. The value begins behind the longest beginning of the text that is TOML and has it not.
        """
        lines, whole = self._text.split("\n"), 0
        for count in range(1, len(lines) + 1):
            try:
                root = tomllib.loads("\n".join(lines[:count]))
            except tomllib.TOMLDecodeError:  # in the middle of a value of several lines
                continue
            if _at(root, place) is not None:
                return whole + 1
            whole = count
        return None

    def _value(self, place: TomlPath) -> Any:
        return _at(self._root, place)

    def _wrong_kind(self, place: TomlPath, found: Any, hint: str) -> TomlProblem:
        return self.problem(place, f"is {_kind(found)}; write {hint}")


def dotted(place: TomlPath) -> str:
    """Return a place as TOML writes it: devices."AA:BB:CC:DD:EE:FF".allow_writes."""
    return ".".join(
        name if _BARE.fullmatch(name) else json.dumps(name, ensure_ascii=not name.isprintable()) for name in place
    )


def suggestion(name: str, known: Iterable[str]) -> str:
    """Return the question after the nearest known name, or the list of all if none is near."""
    names = sorted(known)
    near = get_close_matches(name, names, n=1)
    return f"did you mean {near[0]}?" if near else f"there are {', '.join(names)}"


def _at(root: Any, place: TomlPath) -> Any:
    for name in place:
        root = root.get(name) if isinstance(root, dict) else None
    return root


def _kind(value: Any) -> str:
    return _KINDS.get(type(value), "something else")
