"""The fields of the dissector, with their names and types.

A field is called `victron.` and the metric key, so that a filter on `victron.battery_voltage` finds advertisements,
registers and characteristics alike. Where one key means different things (a number here, a mask there), the first keeps
the bare name and the others append their shape to it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from bluewatt.docgen.wireshark.lua import Raw
from bluewatt.schema import Name
from bluewatt.tables.metrics import any_metric

PREFIX = "victron."

_UINT_BITS = 32
_NOT_ALLOWED = re.compile(r"[^a-z0-9_.]+")


class Shape(msgspec.Struct, frozen=True):
    """The difference between two fields of one key."""

    kind: str
    """One of number, hex, code, flags, groups, text, version, bytes; bit or group for a field within a mask."""
    of: str = ""
    """The unit, or the name of the enumeration."""


class DissectorField(msgspec.Struct, kw_only=True):
    """One field of the dissector; its type gets wider as more rows use it."""

    name: str
    label: str
    shape: Shape
    about: str = ""
    decimal: bool = False
    signed: bool = False
    bits: int = 0
    children: Sequence[int] = ()
    """The numbers of the fields of named bits or groups."""
    names: Mapping[int, Name] | None = None
    states: Sequence[str] = ()
    mask: int | None = None

    @property
    def title(self) -> str:
        """Return the text before a value: the label, and the unit, which Wireshark 4.0 does not show after a double."""
        return f"{self.label} ({self.shape.of})" if self.shape.kind == "number" and self.shape.of else self.label

    @property
    def type(self) -> str:
        """Return the type by its name in Wireshark's Lua interface."""
        if self.shape.kind == "bit":
            return "bool"
        if self.shape.kind in ("text", "version"):
            return "string"
        if self.shape.kind == "bytes":
            return "bytes"
        if self.shape.kind == "hex":
            return f"uint{self.bits}"
        mixed = self.signed and self.bits > _UINT_BITS
        return "double" if self.decimal or mixed else "int32" if self.signed else "uint32"


class DissectorFields:
    """All fields of the dissector by number, counted from 1 as in Lua."""

    def __init__(self) -> None:
        self.fields: list[DissectorField] = []
        self._numbers: dict[tuple[str, Shape], int] = {}
        self._taken: set[str] = set()

    def number(self, key: str, shape: Shape, *, label: str = "", about: str = "", decimal: bool = False,
               signed: bool = False, bits: int = 0, names: Mapping[int, Name] | None = None,
               states: Sequence[str] = ()) -> int:  # fmt: skip
        """Return the number of the field for a use of a key: the first use makes it, the others widen it."""
        found = self._numbers.get((key, shape))
        if found is None:
            made = DissectorField(name=self._name(key, shape), label=label or label_of(key), shape=shape, about=about)
            found = self._numbers[key, shape] = self._append(made)
            made.names, made.states = names, states
            made.children = self._children(made)
        field = self.fields[found - 1]
        field.decimal |= decimal
        # A number that is unsigned in one row and signed in another needs more bits than either.
        field.bits = max(field.bits, bits + (signed != field.signed and bool(field.bits)))
        field.signed |= signed
        return found

    def _append(self, field: DissectorField) -> int:
        self.fields.append(field)
        self._taken.add(field.name)
        return len(self.fields)

    def _name(self, key: str, shape: Shape) -> str:
        candidates = (key, f"{key}_{shape.kind}", f"{key}_{_plain(shape.of)}", f"{key}_{shape.kind}_{_plain(shape.of)}")
        return next(name for text in candidates if (name := PREFIX + text) not in self._taken)

    def _children(self, parent: DissectorField) -> list[int]:
        if parent.names is None or parent.shape.kind not in ("flags", "groups"):
            return []
        width, kind = (1, "bit") if parent.shape.kind == "flags" else (2, "group")
        rows = [(width * number, name) for number, name in sorted(parent.names.items())]
        return [
            self._append(DissectorField(
                name=self._free(f"{parent.name}.{_plain(name.key)}", first), label=name.label, shape=Shape(kind),
                states=parent.states, mask=(1 << width) - 1 << first,
            ))
            for first, name in rows if first + width <= _UINT_BITS
        ]  # fmt: skip

    def _free(self, name: str, bit: int) -> str:
        return name if name not in self._taken else f"{name}_{bit}"

    def rows(self) -> list[Sequence[Any]]:
        """Return all fields for the runtime: type, name, label, about, value strings, mask, children, hexadecimal."""
        return [
            (field.type, field.name, field.title, field.about, _strings(field), field.mask or False,
             list(field.children), field.shape.kind in ("flags", "groups", "hex"))
            for field in self.fields
        ]  # fmt: skip


def _strings(field: DissectorField) -> Any:
    """Return the value strings: a reference to an enumeration of the table, or the states of a two-bit group."""
    if field.shape.kind in ("code", "hex") and field.shape.of:
        return Raw(f"T.enums.{field.shape.of}")
    if field.shape.kind == "group":
        return dict(enumerate(field.states))
    return False


def _plain(text: str) -> str:
    return _NOT_ALLOWED.sub("_", text.lower()).strip("_") or "other"


def label_of(key: str) -> str:
    """Return the label of a key: the metric's, else the words of the key."""
    known = any_metric(key)
    words = key.replace("_", " ").replace(".", ", ")
    return known.label if known else words[:1].upper() + words[1:]
