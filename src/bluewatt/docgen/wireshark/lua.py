"""Lua literals: Python's plain data as Lua reads it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_SAFE = frozenset(range(32, 127)) - {ord('"'), ord("\\")}


class Raw(str):
    """Text that is Lua already."""


def literal(value: Any) -> str:
    """The Lua literal of None, bool, int, float, str, a sequence or a mapping; empty entries of a mapping are left out.

    Keys of mappings are names or integers. Text stays ASCII: every other byte is escaped, so that the file may pass
    through any editor.
    """
    if value is None or isinstance(value, bool):
        return {None: "nil", True: "true", False: "false"}[value]
    if isinstance(value, Raw):
        return str(value)
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{_key(key)}={literal(item)}" for key, item in value.items() if _says(item)) + "}"
    if isinstance(value, list | tuple):
        return "{" + ",".join(map(literal, value)) + "}"
    return repr(value)


def _text(value: str) -> str:
    return '"' + "".join(chr(byte) if byte in _SAFE else f"\\{byte:03d}" for byte in value.encode()) + '"'


def _key(key: Any) -> str:
    return f"[{key}]" if isinstance(key, int) else str(key)


def _says(item: Any) -> bool:
    """Whether an entry is worth writing: nil, false and empty tables read the same when they are missing."""
    return item is not None and item is not False and item != () and item != {}
