"""Decoded advertisements as an Arrow table: its schema, and its columns, which share the memory of numpy arrays.

Needs the `batch` extra. Columns of texts are dictionaries: each distinct number is named once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, lru_cache
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from bluewatt.model.json_objects import FIRST_SECOND, LAST_SECOND
from bluewatt.schema import Code, Flags, Row, TwoBitFields
from bluewatt.tables.metrics import metric
from bluewatt.tables.records import record_class, record_classes
from bluewatt.wire.containers.columns import NO_STRENGTH, Columns
from bluewatt.wire.instant_readout.batch import Batch, Indices, Status
from bluewatt.wire.instant_readout.batch_columns import Column, value_type
from bluewatt.wire.row_compiler import CACHED_NAMES

_LOOKED_UP = 4096
"""Limit below which distinct numbers are found with a table of all numbers, without sorting."""

_TEXT = pa.dictionary(pa.int32(), pa.string())
_FRAME = (
    pa.field("at", pa.timestamp("us", tz="UTC"), nullable=False),
    pa.field("address", _TEXT, nullable=False),
    pa.field("rssi", pa.int8(), metadata={"unit": "dBm"}),
    pa.field("status", _TEXT, nullable=False),
    pa.field("product_id", pa.uint16()),
    pa.field("record_type", pa.uint16()),
    pa.field("record", _TEXT),
    pa.field("nonce", pa.uint16()),
)


class _Filled(NamedTuple):
    """The part of a metric's column that comes from one kind of record: its rows and its values."""

    rows: Indices
    column: Column


@cache
def schema() -> pa.Schema:
    """Return the columns of the file: those of every advertisement, then the metrics in the order of record types."""
    same: dict[str, list[Row]] = {}
    for cls in record_classes():
        for row in cls.rows:
            if not row.hidden:
                same.setdefault(row.name, []).append(row)
    return pa.schema([*_FRAME, *(_field(rows) for rows in same.values())])


def _field(rows: Sequence[Row]) -> pa.Field:
    """Return the column of a metric, with a type wide enough for every record that carries it."""
    first = rows[0]
    facts = {"unit": first.unit} if first.unit else {}
    if described := metric(first.name):
        facts["label"] = described.label
    if first.raw:
        return pa.field(first.name, pa.binary(), metadata=facts)
    if first.named is not None:
        return pa.field(first.name, _TEXT, metadata=facts)
    kind = pa.from_numpy_dtype(np.result_type(*(value_type(row) for row in rows)))
    return pa.field(first.name, pa.list_(kind) if first.count > 1 else kind, metadata=facts)


def to_arrow(columns: Columns, batch: Batch) -> pa.Table:
    """Return advertisements and their values as one Arrow table with the columns of `schema()`."""
    count = len(columns.at)
    parts: dict[str, list[_Filled]] = {}
    for table in batch.tables.values():
        for name, column in table.columns.items():
            parts.setdefault(name, []).append(_Filled(table.rows, column))
    arrays = _frame(columns, batch)
    for field in list(schema())[len(_FRAME) :]:
        filled = parts.get(field.name)
        arrays.append(_metric(filled, field.type, count) if filled else _empty_column(field.type, count))
    return pa.Table.from_arrays(arrays, schema=schema())


@lru_cache(maxsize=1)
def _empty_columns(count: int) -> dict[pa.DataType, pa.Array]:
    """Return the cache of columns without a value, by type: those of one row group serve all others."""
    return {}


def _empty_column(kind: pa.DataType, count: int) -> pa.Array:
    made = _empty_columns(count)
    if kind not in made:
        made[kind] = pa.nulls(count, kind)
    return made[kind]


def _frame(columns: Columns, batch: Batch) -> list[pa.Array]:
    """Return the columns every advertisement has, in the order of `_FRAME`."""
    at = np.rint(np.clip(columns.at, FIRST_SECOND, LAST_SECOND) * 1e6).astype(np.int64)
    # Too short for a product id means that no field can be read; too short for a record, no type and no nonce.
    unread = np.isin(batch.status, (Status.UNKNOWN_TYPE, Status.MALFORMED)) & (batch.product_id == 0)
    bare = unread | (batch.status == Status.PRODUCT_ONLY) | (batch.status == Status.MALFORMED)
    return [
        _array(at, _FRAME[0].type),
        _texts(columns.address, _address),
        _array(columns.rssi, pa.int8(), columns.rssi == NO_STRENGTH),
        _texts(batch.status, lambda number: Status(number).name.lower()),
        _array(batch.product_id, pa.uint16(), unread),
        _array(batch.record_type, pa.uint16(), bare),
        _texts(batch.record_type, _record_name, absent=bare | (batch.status == Status.UNKNOWN_TYPE)),
        _array(batch.nonce, pa.uint16(), bare),
    ]


def _array(values: NDArray[Any], kind: pa.DataType, absent: NDArray[np.bool_] | None = None) -> pa.Array:
    """Return an array that shares the memory of the numbers; `pa.array` would copy them."""
    presence = None if absent is None else _presence(absent)
    return pa.Array.from_buffers(kind, len(values), [presence, pa.py_buffer(np.ascontiguousarray(values))])


def _presence(absent: NDArray[np.bool_]) -> pa.Buffer:
    return pa.py_buffer(np.packbits(~absent, bitorder="little"))


def _address(number: int) -> str:
    return number.to_bytes(8, "big")[2:].hex(":").upper()


def _record_name(record_type: int) -> str | None:
    cls = record_class(record_type)
    return cls.record_name if cls else None


def _distinct(values: NDArray[Any]) -> tuple[list[int], NDArray[np.int32]]:
    """Return the distinct numbers among `values`, and for each value the index of its number.

    It sorts: importing what `numpy.unique` or Arrow's kernels need takes longer than a row group.
    """
    if len(values) and values.dtype.kind == "u" and (highest := int(values.max())) < _LOOKED_UP:
        seen = np.zeros(highest + 1, np.bool_)
        seen[values] = True
        return np.flatnonzero(seen).tolist(), (np.cumsum(seen, dtype=np.int32) - np.int32(1))[values]
    distinct = occurring(values)
    return distinct.tolist(), np.searchsorted(distinct, values).astype(np.int32)


def occurring(values: NDArray[Any]) -> NDArray[Any]:
    """Return the distinct numbers among `values`, ascending."""
    ordered = np.sort(values)
    distinct: NDArray[Any] = ordered[np.append(True, ordered[1:] != ordered[:-1])[: len(ordered)]]
    return distinct


def _texts(
    numbers: NDArray[Any], name: Callable[[int], str | None], *, absent: NDArray[np.bool_] | None = None
) -> pa.DictionaryArray:
    """Return numbers as texts, each distinct number named once."""
    distinct, indices = _distinct(numbers)
    names = pa.array([name(number) or "" for number in distinct], pa.string())
    return pa.DictionaryArray.from_arrays(_array(indices, pa.int32(), absent), names)


def _metric(parts: Sequence[_Filled], kind: pa.DataType, count: int) -> pa.Array:
    """Return the column of one metric, put together from the records that carry it."""
    if pa.types.is_dictionary(kind):
        return _named(parts, count)
    if pa.types.is_binary(kind):
        return _binary(parts[0], count)
    if pa.types.is_list(kind):
        return _list(parts[0], kind, count)
    if len(parts) == 1 and len(parts[0].rows) == count:
        values, absent = parts[0].column.values.astype(kind.to_pandas_dtype(), copy=False), ~parts[0].column.valid
    else:
        values, absent = np.zeros(count, kind.to_pandas_dtype()), np.ones(count, np.bool_)
        for rows, column in parts:
            values[rows] = column.values
            absent[rows] = ~column.valid
    return _array(values, kind, absent)


def _named(parts: Sequence[_Filled], count: int) -> pa.DictionaryArray:
    """Return an enumeration as texts: the key of a code, or the keys of a mask's set bits with commas between."""
    places: dict[str, int] = {}
    indices, absent = np.zeros(count, np.int32), np.ones(count, np.bool_)
    for rows, (row, values, valid) in parts:
        if row.named is None:
            continue
        distinct, which = _distinct(values[valid])
        # A class of numbers is hashable like any other; mypy asks its instances.
        names = [_key(row.named, number) for number in distinct]  # type: ignore[arg-type]
        shared = np.array([places.setdefault(name, len(places)) for name in names], np.int32)
        there = rows[valid]
        indices[there] = shared[which]
        absent[there] = False
    return pa.DictionaryArray.from_arrays(_array(indices, pa.int32(), absent), pa.array(list(places), pa.string()))


@lru_cache(maxsize=CACHED_NAMES)
def _key(named: Callable[[int], Code | Flags | TwoBitFields], number: int) -> str:
    plain = named(number).as_json()
    return plain if isinstance(plain, str) else ",".join(plain)


def _offsets(rows: Indices, lengths: NDArray[np.int64], count: int) -> pa.Array:
    """Return where each advertisement's elements begin in a list column; null for advertisements without a list."""
    all_lengths, absent = np.zeros(count + 1, np.int32), np.ones(count + 1, np.bool_)
    all_lengths[rows + 1] = lengths
    absent[rows] = absent[count] = False
    return _array(np.cumsum(all_lengths, dtype=np.int32), pa.int32(), absent)


def _list(part: _Filled, kind: pa.DataType, count: int) -> pa.ListArray:
    values, valid = part.column.values, part.column.valid
    elements = _array(values.reshape(-1), kind.value_type, ~valid.reshape(-1))
    lengths = np.full(len(part.rows), values.shape[1], np.int64)
    return pa.ListArray.from_arrays(_offsets(part.rows, lengths, count), elements, type=kind)


def _binary(part: _Filled, count: int) -> pa.Array:
    valid = part.column.valid
    lengths = np.zeros(count + 1, np.int32)
    lengths[part.rows + 1] = valid.sum(axis=1)
    absent = np.ones(count, np.bool_)
    absent[part.rows] = False
    buffers = [_presence(absent), pa.py_buffer(np.cumsum(lengths, dtype=np.int32))]
    return pa.Array.from_buffers(pa.binary(), count, [*buffers, pa.py_buffer(part.column.values[valid].tobytes())])
