"""A right key stays right and a wrong one shows nothing, whatever a device may say."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
from msgspec.structs import replace

import bluewatt
from bluewatt.model.keys import KeyRing
from bluewatt.model.reading import ADVERTISEMENT, Frame, Reading, Undecoded
from bluewatt.model.receiver import Receiver
from bluewatt.model.trust.key_verdict import KeyState
from bluewatt.schema import Record, Row
from bluewatt.tables.records import record_classes
from bluewatt.tables.records.smart_bms import SmartBms
from bluewatt.wire.instant_readout.cipher import Key

ADDRESS = "C0:00:00:00:00:01"
KEY = Key(bytes(range(0xA0, 0xB0)))
SEALED = [cls for cls in record_classes() if cls.record_type is not None and cls.record_type < 0xFF00]
SAMPLES = 60


def plain(cls: type[Record], rng: random.Random, second: int) -> Record:
    """A record as a device sends it: named codes that stay, numbers that move a little, some absent."""
    if cls.rows[0].raw:
        return SmartBms(bytes.fromhex("000000e804e704bf0400182511") + bytes([second % 4]))
    values = {}
    for row in cls.rows:
        if row.named is not None:
            values[row.name] = row.value(min(row.named.names, default=0) & row.mask)
        elif not row.hidden and row.when is None:
            middle = rng.randrange(10, 40) if row.bits > 6 else 0
            elements = tuple(row.value(middle) for _ in range(row.count))
            values[row.name] = elements if row.count > 1 else elements[0]
    return cls(**values)


def unnamed(row: Row) -> int | None:
    """The highest raw value of a coded row that nobody has named; None if all have a name."""
    candidates = (raw for raw in range(row.mask, -1, -1) if raw not in row.na and not row.value(raw).known)
    return next(candidates, None)


CODED = [
    (cls, row, raw) for cls in SEALED for row in cls.rows if row.named is not None and (raw := unnamed(row)) is not None
]


def frames(records: Iterator[Record], key: bytes = KEY, start: int = 0) -> Iterator[Frame]:
    for number, record in enumerate(records, start):
        payload = bluewatt.build_advertisement(record, product_id=0xA389, key=key, nonce=number)
        yield Frame(float(number), "test:", ADVERTISEMENT, ADDRESS, payload, -60)


def heard(receiver: Receiver, sent: Iterator[Frame]) -> list[Reading | Undecoded]:
    return [outcome for frame in sent for outcome in receiver.feed(frame)]


@pytest.mark.parametrize("before", [0, SAMPLES], ids=["from the first sample", "after a good minute"])
@pytest.mark.parametrize(
    ("cls", "row", "raw"), CODED, ids=lambda part: getattr(part, "name", getattr(part, "__name__", ""))
)
def test_a_code_nobody_has_named_hides_no_value_and_refutes_no_key(
    cls: type[Record], row: Row, raw: int, before: int
) -> None:
    rng = random.Random(cls.__name__)
    receiver = Receiver(KeyRing({ADDRESS: KEY}))
    good = [plain(cls, rng, second) for second in range(before)]
    odd = [replace(plain(cls, rng, second), **{row.name: row.value(raw)}) for second in range(SAMPLES)]
    outcomes = heard(receiver, frames(iter([*good, *odd])))
    assert receiver.key_state(ADDRESS) is KeyState.RIGHT
    assert [outcome.at for outcome in outcomes if isinstance(outcome, Reading)] == [*range(before + SAMPLES)]


@pytest.mark.parametrize(
    ("cls", "row", "raw"), CODED, ids=lambda part: getattr(part, "name", getattr(part, "__name__", ""))
)
def test_a_code_nobody_has_named_convinces_whatever_the_numbers_do(cls: type[Record], row: Row, raw: int) -> None:
    rng = random.Random(cls.__name__)
    receiver = Receiver(KeyRing({ADDRESS: KEY}))
    wild = (replace(scattered(cls, rng), **{row.name: row.value(raw)}) for _ in range(SAMPLES))
    outcomes = [*heard(receiver, frames(wild)), *receiver.flush()]
    assert receiver.key_state(ADDRESS) is KeyState.RIGHT
    published = [outcome.at for outcome in outcomes if isinstance(outcome, Reading)]
    assert len(published) >= SAMPLES - 1
    assert published[-1] == SAMPLES - 1


def scattered(cls: type[Record], rng: random.Random) -> Record:
    """A record of named codes whose numbers have nothing to do with those of any other."""
    record = plain(cls, rng, 0)
    for row in cls.rows:
        if row.named is None and not (row.hidden or row.raw or row.when or row.pieces) and row.count == 1:
            record = replace(record, **{row.name: row.value(rng.randrange(row.mask >> 1))})
    return record


@pytest.mark.parametrize("cls", SEALED, ids=lambda cls: cls.__name__)
def test_a_wrong_key_with_the_right_first_byte_shows_nothing(cls: type[Record]) -> None:
    rng = random.Random(cls.__name__)
    records = [plain(cls, rng, second) for second in range(SAMPLES)]
    for _ in range(40):
        receiver = Receiver(KeyRing({ADDRESS: Key(KEY[:1] + rng.randbytes(15))}))
        outcomes = [*heard(receiver, frames(iter(records))), *receiver.flush()]
        assert not [outcome for outcome in outcomes if isinstance(outcome, Reading)]


@pytest.mark.parametrize("cls", SEALED, ids=lambda cls: cls.__name__)
@pytest.mark.parametrize("first", [KEY[0], 0x5E], ids=["same first byte", "another first byte"])
def test_a_key_that_changed_is_told(cls: type[Record], first: int) -> None:
    rng = random.Random(cls.__name__)
    receiver = Receiver(KeyRing({ADDRESS: KEY}))
    heard(receiver, frames(plain(cls, rng, second) for second in range(SAMPLES)))
    assert receiver.key_state(ADDRESS) is KeyState.RIGHT
    new = Key(bytes([first]) + rng.randbytes(15))
    outcomes = heard(receiver, frames((plain(cls, rng, second) for second in range(20)), new, SAMPLES))
    assert receiver.key_state(ADDRESS) is KeyState.CHANGED
    told = next(n for n, outcome in enumerate(outcomes) if getattr(outcome, "reason", "") == "KeyMismatch")
    assert told < 20
    assert {outcome.reason for outcome in outcomes[told:] if isinstance(outcome, Undecoded)} == {"KeyMismatch"}
