"""The short ways that nearly all advertisements take agree with the long ones."""

from __future__ import annotations

import random

import pytest
from msgspec.structs import astuple

from bluewatt.model.trust.doubt import picker, record_checks
from bluewatt.schema import Record
from bluewatt.tables.records import record_classes
from bluewatt.wire.instant_readout.cipher import BLOCK, PAGE, Key, key_for, key_stream, next_stream
from bluewatt.wire.instant_readout.records import decode_record
from bluewatt.wire.row_compiler import decoder, raw_bits

KEY = Key(range(16))
LAID_OUT = [cls for cls in record_classes() if not cls.rows[0].raw]


@pytest.mark.parametrize("nonce", [0, 1, PAGE - 1, PAGE, 0x1234, 0xFFFF - PAGE, 0xFFFF])
def test_the_key_stream_of_a_page_is_that_of_its_nonces(nonce: int) -> None:
    assert next_stream(KEY, nonce) == int.from_bytes(key_stream(KEY, nonce)[:BLOCK], "little")


@pytest.mark.parametrize("text", [KEY.hex(), KEY.hex().upper(), "0x" + KEY.hex(), KEY.hex(":"), bytes(KEY)])
def test_a_key_is_read_once_and_stays_the_same(text: str | bytes) -> None:
    assert key_for(text, KEY[0]) == KEY
    assert key_for(text, KEY[0]) is key_for(text, KEY[0])


@pytest.mark.parametrize("cls", LAID_OUT, ids=lambda cls: cls.record_name)
def test_a_sample_is_picked_where_both_questions_say_yes(cls: type[Record]) -> None:
    chance, picked = random.Random(cls.record_name), 0
    nothing = raw_bits(cls()) & (1 << cls.bits) - 1
    for row in cls.rows:  # a code that cannot say "not available" is 0
        nothing &= ~(row.mask << row.start) if row.named is not None and not row.na else -1
    before = decoder(cls)(nothing)
    for _ in range(300):
        # A few bits of a record in which nothing is available, so that some samples are usual and some are not.
        bits = nothing ^ sum({1 << chance.randrange(cls.bits) for _ in range(chance.randrange(4))})
        record = decoder(cls)(bits)
        values, asked = astuple(record), record_checks(cls)
        expected = asked.usual(values) and asked.steady(astuple(before), values)
        assert picker(cls)(bits, astuple(before)) == ((record, values) if expected else None)
        picked += expected
        before = record
    assert 0 < picked < 300


@pytest.mark.parametrize("cls", record_classes(), ids=lambda cls: cls.record_name)
def test_a_dictionary_holds_every_row_that_is_shown_as_plain_data(cls: type[Record]) -> None:
    record = decode_record(cls.record_type or 0, bytes(range(BLOCK)))
    made = record.as_dict()
    assert list(made) == [row.name for row in cls.rows if not row.hidden]
    for name, value in made.items():
        held = getattr(record, name)
        assert value == (list(held) if isinstance(held, tuple) else held.hex() if isinstance(held, bytes) else held)
