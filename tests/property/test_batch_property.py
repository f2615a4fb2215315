"""The batch decoder gives, to the last bit, what the decoder of single advertisements gives."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("numpy", reason="the batch extra is not installed")

import numpy as np

from bluewatt import decode_advertisement
from bluewatt.errors import BluewattError
from bluewatt.schema import Record
from bluewatt.tables.advertisement import ProductOnly
from bluewatt.tables.records import record_classes
from bluewatt.wire.instant_readout.advertisement import parse_advertisement
from bluewatt.wire.instant_readout.batch import Batch, Status, decode_batch, payload_matrix
from bluewatt.wire.instant_readout.batch_columns import Column
from bluewatt.wire.instant_readout.batch_keys import NO_KEY

TYPES = [cls.record_type for cls in record_classes() if cls.record_type is not None]
KEYS = [bytes([first]) + bytes(range(first, first + 15)) for first in (0x00, 0x10, 0x3C, 0xAF)]

bodies = st.one_of(
    st.binary(max_size=16),
    st.binary(min_size=14, max_size=16),
    st.binary(min_size=17, max_size=40),
    st.integers(0, 16).map(lambda n: b"\xff" * n),
)


@st.composite
def advertisements(draw: st.DrawFn) -> tuple[bytes, int]:
    """(payload, index of its key): well made ones of every type, with the right key, another's or none."""
    kind = draw(st.sampled_from(TYPES) | st.integers(0, 0xFF))
    owner = draw(st.integers(NO_KEY, len(KEYS) - 1))
    check = KEYS[owner][0] if draw(st.integers(0, 7)) else draw(st.integers(0, 0xFF))
    nonce = draw(st.sampled_from([0, 1, 0xFFFF]) | st.integers(0, 0xFFFF))
    if kind >> 8:
        kind, check = kind >> 8, kind & 0xFF
    header = bytes([0x10, draw(st.integers(0, 0xFF))]) + draw(st.binary(min_size=2, max_size=2))
    payload = header + bytes([kind]) + nonce.to_bytes(2, "little") + bytes([check]) + draw(bodies)
    return draw(st.sampled_from([b"", b"\xe1\x02"])) + payload, owner


anything = st.tuples(st.binary(max_size=26), st.integers(NO_KEY, len(KEYS) - 1))


def one(payload: bytes, owner: int) -> Record | type[BluewattError]:
    try:
        return decode_advertisement(payload, None if owner == NO_KEY else KEYS[owner])
    except BluewattError as error:
        return type(error)


def element(column: Column, place: int) -> Any:
    """The value of a column as the record has it: None for absent, int or float, tuples, bytes."""
    values, valid = column.values[place], column.valid[place]
    if column.row.raw:
        return values[valid].tobytes()
    if column.row.count > 1:
        cells = zip(values.tolist(), valid.tolist(), strict=True)
        elements = tuple(value if there else None for value, there in cells)
        return elements
    return values.item() if valid else None


def from_batch(batch: Batch, number: int) -> dict[str, Any]:
    for table in batch.tables.values():
        place = np.flatnonzero(table.rows == number)
        if len(place):
            return {name: element(column, int(place[0])) for name, column in table.columns.items()}
    raise AssertionError(f"no record for advertisement {number}")


def expected(record: Record) -> dict[str, Any]:
    """What the columns should say; a list of which no element was sent is a list of absent ones in a column."""
    values = {}
    for row in record.rows:
        if not row.hidden:
            value = getattr(record, row.name)
            values[row.name] = (None,) * row.count if value is None and row.count > 1 else value
    return values


@settings(max_examples=400, deadline=None)
@given(st.lists(advertisements() | anything, max_size=40))
def test_batch_equals_single(heard: list[tuple[bytes, int]]) -> None:
    payloads, lengths = payload_matrix([payload for payload, _ in heard])
    batch = decode_batch(payloads, lengths, KEYS, np.array([owner for _, owner in heard], np.int16))
    assert sum(len(table.rows) for table in batch.tables.values()) == np.count_nonzero(batch.status == Status.DECODED)
    for number, (payload, owner) in enumerate(heard):
        alone, status = one(payload, owner), Status(batch.status[number])
        if isinstance(alone, type):
            assert status.error is alone
        elif isinstance(alone, ProductOnly):
            assert status is Status.PRODUCT_ONLY
        else:
            assert status is Status.DECODED
            got, wanted = from_batch(batch, number), expected(alone)
            assert got == wanted
            assert {name: type(value) is float for name, value in got.items()} == {
                name: type(value) is float for name, value in wanted.items()
            }


@settings(max_examples=200, deadline=None)
@given(advertisements())
def test_batch_keeps_the_header(heard: tuple[bytes, int]) -> None:
    payload, owner = heard
    payloads, lengths = payload_matrix([payload])
    batch = decode_batch(payloads, lengths, KEYS, np.array([owner]))
    header = parse_advertisement(payload)
    told = (batch.product_id[0], batch.record_type[0], batch.nonce[0])
    assert told == (header.product_id, header.record_type or 0, header.nonce)
