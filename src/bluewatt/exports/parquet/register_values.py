"""Registers of conversations as Parquet: a row per value, written in groups, in bounded memory."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pyarrow as pa
import pyarrow.parquet as pq

from bluewatt.model.dialogue.conversation import Line
from bluewatt.model.dialogue.sentences import value_words, values_of
from bluewatt.schema import Code, Flags, TwoBitFields

ROWS_AT_ONCE = 65_536
"""Values written at once."""

SCHEMA = pa.schema(
    [
        ("at", pa.timestamp("us", tz="UTC")),
        ("address", pa.dictionary(pa.int32(), pa.string())),
        ("name", pa.dictionary(pa.int32(), pa.string())),
        ("connection", pa.int32()),
        ("number", pa.int64()),
        ("direction", pa.dictionary(pa.int32(), pa.string())),
        ("message", pa.dictionary(pa.int32(), pa.string())),
        ("instance", pa.int32()),
        ("register", pa.uint16()),
        ("key", pa.dictionary(pa.int32(), pa.string())),
        ("raw", pa.binary()),
        ("value", pa.float64()),
        ("text", pa.string()),
        ("unit", pa.dictionary(pa.int32(), pa.string())),
    ]
)
"""The columns: `value` holds numbers, `text` every value in words; `raw` and both are null for a secret."""


class ValueWriter:
    """Writes the values of lines to one file, which is made with the first value: no values leave no file."""

    def __init__(self, path: Path, *, reveal: bool = False) -> None:
        self.path = path
        self.count = 0
        self._reveal = reveal
        self._columns: dict[str, list[Any]] = {name: [] for name in SCHEMA.names}
        self._writer: pq.ParquetWriter | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._flush()
        if self._writer is not None:
            self._writer.close()

    def add(self, line: Line) -> None:
        """Add the values of a line."""
        device = line.device
        side = line.direction.value if line.direction else None
        for value in values_of(line):
            visible = self._reveal or not value.secret
            row = (
                round(line.at * 1e6), device.address, device.name, line.link, line.number, side, line.message,
                value.instance, value.register, value.key, value.raw if visible else None,
                _number(value.value) if visible else None, value_words(value, reveal=True) if visible else None,
                value.unit,
            )  # fmt: skip
            for column, cell in zip(self._columns.values(), row, strict=True):
                column.append(cell)
            self.count += 1
        if len(self._columns["at"]) >= ROWS_AT_ONCE:
            self._flush()

    def _flush(self) -> None:
        if not self._columns["at"]:
            return
        if self._writer is None:
            self._writer = pq.ParquetWriter(self.path, SCHEMA, compression="zstd")
        arrays = [pa.array(self._columns[field.name], field.type) for field in SCHEMA]
        self._writer.write_table(pa.Table.from_arrays(arrays, schema=SCHEMA))
        for column in self._columns.values():
            column.clear()


def _number(value: object) -> float | None:
    if isinstance(value, Code | Flags | TwoBitFields | int | float):
        return float(value)
    return None
