"""Records: classes made of rows, placed bit after bit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, ClassVar

import msgspec

from bluewatt.schema.rows import Proof, Row


class RecordMeta(msgspec.StructMeta):
    """The metaclass of records: it takes the rows out of the class body, places them, and leaves typed fields."""

    def __new__(
        mcls, name: str, bases: tuple[type, ...], body: dict[str, Any], *,
        record_type: int | None = None, record_name: str = "", title: str = "", proof: Proof = Proof.UNPROVEN,
    ) -> Any:  # fmt: skip
        """Make a record class: `record_type` is its number on air, `title` and `proof` are for the reference page."""
        rows = place({key: row for key, row in body.items() if isinstance(row, Row)})
        body.update(dict.fromkeys(row.name for row in rows))
        cls: Any = super().__new__(mcls, name, bases, body, frozen=True, gc=False)
        cls.rows, cls.bits = rows, max((row.end for row in rows), default=0)
        cls.spare = (1 << -cls.bits % 8) - 1
        cls.record_type, cls.record_name = record_type, record_name or _snake(name)
        cls.title, cls.proof = title or name, proof
        return cls


def place(rows: Mapping[str, Row]) -> tuple[Row, ...]:
    """Name rows and set their first bits: one after the other, overlays of one selector on the same bits."""
    placed: list[Row] = []
    position = 0
    for name, row in rows.items():
        overlay = bool(row.when and placed and placed[-1].when)
        start = placed[-1].start if overlay else position
        placed.append(msgspec.structs.replace(row, name=name, start=start))
        position = max(position, start + row.width)
    return tuple(placed)


def _snake(name: str) -> str:
    return "".join("_" + letter.lower() if letter.isupper() else letter for letter in name).lstrip("_")


class Record(msgspec.Struct, metaclass=RecordMeta):
    """The base of all advertised records; every field is None where the device says "not available"."""

    rows: ClassVar[tuple[Row, ...]]
    bits: ClassVar[int]
    """The number of bits the layout defines."""
    record_type: ClassVar[int | None]
    """The number in the advertisement; 0xFFnn for the extended types, None if there is none."""
    record_name: ClassVar[str]
    title: ClassVar[str]
    """The name for people."""
    proof: ClassVar[Proof]

    spare: ClassVar[int]
    """All ones over the unused bits of the last byte."""

    @classmethod
    def length(cls) -> int:
        """Return the canonical length in bytes."""
        return (cls.bits + 7) // 8

    def as_dict(self) -> dict[str, Any]:
        """Return the values by canonical name: numbers, enumerations as int subclasses, lists, hex text, or None."""
        return _dictionary(self.__class__)(self)


@cache
def _dictionary(cls: type[Record]) -> Callable[[Record], dict[str, Any]]:
    """Return the function from a record to its dictionary: one expression, made from the rows of its class."""
    parts = [f"{row.name!r}: {_plainly(row)}" for row in cls.rows if not row.hidden]
    made: Callable[[Record], dict[str, Any]] = eval(f"lambda r: {{{', '.join(parts)}}}", {"plain": _plain})
    return made


def _plainly(row: Row) -> str:
    """Return the expression of a row's value in the record r: only lists and raw bytes need `plain`."""
    return f"plain(r.{row.name})" if row.raw or row.count > 1 else f"r.{row.name}"


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return list(value)
    return value.hex() if isinstance(value, bytes) else value
