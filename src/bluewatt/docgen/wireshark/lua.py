"""Lua literals of plain Python data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_SAFE = frozenset(range(32, 127)) - {ord('"'), ord("\\")}


class Raw(str):
    """Text that is Lua source already."""


def literal(value: Any) -> str:
    """Return the Lua literal of None, bool, int, float, str, a sequence or a mapping without its empty entries.

    Keys of mappings are names or integers. Text stays ASCII: every other byte is escaped, so that any editor
    can handle the file.
    """
    if value is None or isinstance(value, bool):
        return {None: "nil", True: "true", False: "false"}[value]
    if isinstance(value, Raw):
        return str(value)
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{_key(key)}={literal(item)}" for key, item in value.items() if _is_needed(item)) + "}"
    if isinstance(value, list | tuple):
        return "{" + ",".join(map(literal, value)) + "}"
    return repr(value)


def _text(value: str) -> str:
    return '"' + "".join(chr(byte) if byte in _SAFE else f"\\{byte:03d}" for byte in value.encode()) + '"'


def _key(key: Any) -> str:
    return f"[{key}]" if isinstance(key, int) else str(key)


def _is_needed(item: Any) -> bool:
    """Return whether an entry must be written: nil, false and empty tables read the same if they are missing."""
    return item is not None and item is not False and item != () and item != {}
