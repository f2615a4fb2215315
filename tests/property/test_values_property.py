"""Every register, any bytes: nothing but our own errors, and writing what was read gives the same bytes."""

from __future__ import annotations

import contextlib
import math
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from bluewatt.errors import Malformed, Unencodable
from bluewatt.tables.compounds import LAYOUTS
from bluewatt.tables.registers import SIZES, Register, registers
from bluewatt.wire.registers.compounds import decode_compound, encode_compound
from bluewatt.wire.registers.values import decode_value, encode_value, plain

ROWS = list(registers())
SIZED = [row for row in ROWS if row.size]
ANYTHING: Any = st.one_of(
    st.none(), st.integers(), st.floats(), st.text(), st.binary(), st.lists(st.one_of(st.text(), st.integers())),
    st.dictionaries(st.text(), st.integers()),
)  # fmt: skip


def exact_width(row: Register) -> st.SearchStrategy[tuple[Register, bytes]]:
    size = row.size or 0
    return st.tuples(st.just(row), st.binary(min_size=size, max_size=size))


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(ROWS), st.binary(max_size=80))
def test_random_bytes_raise_nothing_but_malformed(row: Register, data: bytes) -> None:
    with contextlib.suppress(Malformed):
        plain(decode_value(row, data))


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(ROWS), ANYTHING)
def test_random_values_raise_nothing_but_unencodable(row: Register, value: object) -> None:
    with contextlib.suppress(Unencodable):
        assert row.size in (None, len(encode_value(row, value)))


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(SIZED).flatmap(exact_width))
def test_numbers_written_as_read(sample: tuple[Register, bytes]) -> None:
    row, data = sample
    assert encode_value(row, decode_value(row, data)) == data


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(SIZED), st.sampled_from((1, 2, 4, 8)), st.data())
def test_numbers_of_any_width_written_as_read(row: Register, width: int, draw: st.DataObject) -> None:
    data = draw.draw(st.binary(min_size=width, max_size=width))
    value = decode_value(row, data)
    if isinstance(value, float) and abs(value) > 1e9:
        return  # a float holds 53 bits, a raw count of eight bytes has more
    assert encode_value(row, value, width=width) == data


def payload_of(name: str) -> st.SearchStrategy[tuple[str, bytes]]:
    size = sum(max(field.bits, 0) * field.count for field in LAYOUTS[name].fields) // 8
    return st.tuples(st.just(name), st.binary(min_size=max(size - 3, 0), max_size=size + 3))


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(sorted(LAYOUTS)).flatmap(payload_of))
def test_compounds_written_as_read(sample: tuple[str, bytes]) -> None:
    name, data = sample
    try:
        fields = decode_compound(name, data)
    except Malformed:
        return
    if not any(isinstance(value, str) for value in fields.values()):
        assert encode_compound(name, fields) == data


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(sorted(LAYOUTS)))
def test_every_compound_can_be_wholly_absent(name: str) -> None:
    layout = LAYOUTS[name]
    size = sum(max(field.bits, 0) * field.count for field in layout.fields) // 8
    data = b"\xff" * size
    assert encode_compound(name, decode_compound(name, data)) == data


@settings(max_examples=400, deadline=None)
@given(st.sampled_from([row for row in SIZED if row.not_available is not None]), st.sampled_from((1, 2, 4, 8)))
def test_every_pattern_of_absence_is_none_at_every_width(row: Register, width: int) -> None:
    pattern = (1 << 8 * width - row.signed) - 1
    absent = row.not_available if width == SIZES[row.type] else pattern
    assert absent is not None
    data = absent.to_bytes(width, "little")
    assert decode_value(row, data) is None
    assert encode_value(row, None, width=width) == data


@settings(max_examples=400, deadline=None)
@given(st.sampled_from([row for row in SIZED if row.unit]), st.floats(allow_nan=False, allow_infinity=False))
def test_what_can_be_written_reads_back_within_half_a_step(row: Register, value: float) -> None:
    try:
        data = encode_value(row, value)
    except Unencodable:
        return
    back = decode_value(row, data)
    assert math.isclose(back, value, abs_tol=0.501 * row.scale.factor / row.scale.divisor)
