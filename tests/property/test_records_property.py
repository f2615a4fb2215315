"""Records of any bytes: nothing but WireError, and encode and decode are inverse."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import bluewatt
from bluewatt.errors import KeyProblem, WireError
from bluewatt.schema import Record, Row
from bluewatt.tables.records import record_class, record_classes

CLASSES = record_classes()
LAID_OUT = [cls for cls in CLASSES if cls.bits]
KEYS = st.binary(min_size=16, max_size=16)


def raw_patterns(row: Row) -> st.SearchStrategy[int]:
    return st.sampled_from([0, 1, row.mask >> 1, row.mask - 1, row.mask, *row.na]) | st.integers(0, row.mask)


@st.composite
def records(draw: st.DrawFn) -> Record:
    cls = draw(st.sampled_from(LAID_OUT))
    bits = (1 << 8 * cls.length()) - 1
    for row in cls.rows:
        for number in range(row.count):
            start = row.start + row.bits * number
            bits = bits & ~(row.mask << start) | draw(raw_patterns(row)) << start
    assert cls.record_type is not None
    return bluewatt.decode_record(cls.record_type, bits.to_bytes(cls.length(), "little"))


@given(records())
def test_encode_and_decode_are_inverse(record: Record) -> None:
    assert record.record_type is not None
    plain = bluewatt.encode_record(record)
    assert len(plain) == record.length()
    assert bluewatt.decode_record(record.record_type, plain) == record


@given(records(), KEYS, st.integers(0, 0xFFFF), st.integers(0, 0xFFFF))
def test_an_advertisement_opens_to_what_was_sealed(record: Record, key: bytes, nonce: int, product_id: int) -> None:
    data = bluewatt.build_advertisement(record, product_id=product_id, key=key, nonce=nonce)
    if record.record_type == 0 and not nonce and not key[0]:
        return  # what an idle dongle sends
    head = bluewatt.parse_advertisement(data)
    assert (head.product_id, head.nonce, head.record_type) == (product_id, nonce, record.record_type)
    assert bluewatt.decode_advertisement(data, key) == record


@given(st.sampled_from(CLASSES), st.binary(max_size=40))
def test_any_bytes_decode(cls: type[Record], plain: bytes) -> None:
    assert cls.record_type is not None
    record = bluewatt.decode_record(cls.record_type, plain)
    for row in cls.rows:
        if row.end > 8 * len(plain) and not row.raw:
            assert getattr(record, row.name) is None, "a field that is not wholly there is absent"
    again = bluewatt.decode_record(cls.record_type, plain + b"\x00\xff\x55")
    if 8 * len(plain) >= cls.bits > 0:
        assert again == record, "what stands behind a record is not read"


@given(st.binary(max_size=60), st.none() | KEYS)
def test_any_bytes_of_an_advertisement(data: bytes, key: bytes | None) -> None:
    for start in (b"", b"\x10", b"\xe1\x02\x10"):
        with suppress(WireError, KeyProblem):
            bluewatt.decode_advertisement(start + data, key)


@given(st.integers(0, 0xFFFF), st.binary(max_size=20))
def test_unknown_types_are_named_and_kept(record_type: int, plain: bytes) -> None:
    if record_class(record_type) is not None:
        return
    with pytest.raises(bluewatt.BluewattError, match=f"{record_type:#04x}") as caught:
        bluewatt.decode_record(record_type, plain)
    assert caught.value.raw == plain  # type: ignore[attr-defined]


@pytest.mark.parametrize("cls", LAID_OUT, ids=lambda cls: cls.record_name)
def test_every_absence_pattern_is_none(cls: type[Record]) -> None:
    for row in cls.rows:
        for pattern in row.na:
            bits = ((1 << 8 * cls.length()) - 1) & ~(row.mask << row.start) | pattern << row.start
            if row.when is not None:
                selector = next(other for other in cls.rows if other.name == row.when[0])
                bits = bits & ~(selector.mask << selector.start) | row.when[1][0] << selector.start
            assert cls.record_type is not None
            value: Any = getattr(
                bluewatt.decode_record(cls.record_type, bits.to_bytes(cls.length(), "little")), row.name
            )
            assert (value[0] if row.count > 1 else value) is None, f"{row.name} {pattern:#x}"


@given(st.text(alphabet="0123456789abcdef xyz", min_size=8, max_size=40))
def test_any_text_is_a_key_or_a_key_problem_that_does_not_repeat_it(text: str) -> None:
    problem = ""
    try:
        assert len(bluewatt.Key.of(text)) == 16
    except KeyProblem as error:
        problem = str(error)
    assert text not in problem
