"""Many advertisements at once, to columns of numpy arrays (needs the `batch` extra).

The same rows as the decoder of single records, the same numbers to the last bit: what differs is that each row is
evaluated once for thousands of records. Nothing is dropped in silence: every advertisement has a `Status`. A record
counts as far as it fits into one cipher block, as every known one does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import IntEnum
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bluewatt.errors import BluewattError, KeyMismatch, KeyMissing, Malformed, UnknownType
from bluewatt.schema import Record, Row
from bluewatt.tables.advertisement import PRODUCT_ADVERTISEMENT, AdvertHeader
from bluewatt.tables.gatt import COMPANY_ID
from bluewatt.tables.records import EXTENDED_TYPE, record_class, record_classes
from bluewatt.wire.instant_readout.advertisement import HEADER_LENGTH, PRODUCT_LENGTH
from bluewatt.wire.instant_readout.batch_keys import NO_KEY
from bluewatt.wire.instant_readout.batch_raw import open_raw
from bluewatt.wire.instant_readout.cipher import BLOCK, Key, key_streams

WIDTH = HEADER_LENGTH + BLOCK
"""How many bytes of an advertisement are looked at, but for layouts nobody has published: of those all."""

_COMPANY = COMPANY_ID.to_bytes(2, "little")
_COUNTS_AT_ONCE = 8192
"""Records evaluated at once: a few columns of so many numbers stay in the cache of one core."""

_WORD = 64

Numbers = NDArray[Any]
Words = tuple[NDArray[np.uint64], NDArray[np.uint64]]
"""The bits of many records: the first 64 of each, and the others."""
Mask = NDArray[np.bool_]
Indices = NDArray[np.intp]


class Status(IntEnum):
    """What became of an advertisement."""

    DECODED = 0
    PRODUCT_ONLY = 1
    """It carries no record."""
    KEY_MISSING = 2
    KEY_MISMATCH = 3
    UNKNOWN_TYPE = 4
    """Not a product advertisement, or a record nobody has described."""
    MALFORMED = 5

    @property
    def error(self) -> type[BluewattError] | None:
        """What the decoder of single advertisements raises here."""
        return _ERRORS.get(self)


_ERRORS: dict[Status, type[BluewattError]] = {
    Status.KEY_MISSING: KeyMissing,
    Status.KEY_MISMATCH: KeyMismatch,
    Status.UNKNOWN_TYPE: UnknownType,
    Status.MALFORMED: Malformed,
}


class Column(NamedTuple):
    """The values of one row of the table in all records of a kind; lists and raw bytes have a second axis."""

    row: Row
    values: Numbers
    """float64 with NaN for absent where the scale has decimals, the smallest integer type that holds the row else."""
    valid: Mask
    """Which values are there; where it is False, an integer in `values` means nothing."""


class Table(NamedTuple):
    """All records of one kind."""

    rows: Indices
    """Which advertisements they came in, ascending."""
    columns: dict[str, Column]


class Batch(NamedTuple):
    """The outcome of `decode_batch`; the arrays have one element per advertisement."""

    status: NDArray[np.uint8]
    """A `Status` each."""
    product_id: NDArray[np.uint16]
    """0 where the advertisement does not reach so far."""
    record_type: NDArray[np.uint16]
    """0xFFnn for the extended types; 0 where there is no record."""
    nonce: NDArray[np.uint16]
    """0 where there is no record."""
    tables: dict[type[Record], Table]
    """The decoded records by class; classes that did not occur are left out."""

    def undecoded(self) -> dict[Status, Indices]:
        """Which advertisements gave no record, by reason."""
        reasons = {status: np.flatnonzero(self.status == status) for status in Status if status is not Status.DECODED}
        return {status: indices for status, indices in reasons.items() if len(indices)}


def payload_matrix(payloads: Sequence[bytes]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """The arrays `decode_batch` takes, of manufacturer data given one by one: (bytes, zero padded; lengths)."""
    width = max(WIDTH + len(_COMPANY), *map(len, payloads), 0)
    cut = np.array(payloads, dtype=f"S{width}") if len(payloads) else np.empty(0, f"S{width}")
    lengths = np.fromiter(map(len, payloads), np.int64, len(payloads))
    return cut.view(np.uint8).reshape(-1, width), lengths


def decode_batch(
    payloads: NDArray[np.uint8],
    lengths: Numbers,
    keys: Sequence[bytes | str] = (),
    key_index: Numbers | None = None,
) -> Batch:
    """The records of many advertisements, opened and decoded.

    `payloads` has a row of bytes per advertisement (manufacturer data after the company identifier, zero padded, at
    least 24 columns), `lengths` tells how many of them count. `key_index` says which of `keys` each advertisement has,
    `NO_KEY` for none; left out, the first of `keys` is everybody's. KeyProblem for a key that is none.
    """
    payloads, lengths = _without_company(payloads, lengths)
    header = payloads.view(_header_type(payloads.shape[1]))[:, 0]
    status, kind = _sort_out(header, payloads, lengths)
    made = [Key.of(key) for key in keys]
    sealed = np.flatnonzero((status == Status.DECODED) & (kind >> 8 != EXTENDED_TYPE))
    owners = _owners(made, key_index, len(payloads))
    owner = owners[sealed]
    words = (header["low"].copy(), header["high"].copy())
    nonces = header["nonce"].copy()
    if made:
        right = _check_keys(made, owner, header["key_check"][sealed])
        status[sealed] = right
        sealed, owner = sealed[right == Status.DECODED], owner[right == Status.DECODED]
        _unseal(words, sealed, nonces, made, owner)
    else:
        status[sealed] = Status.KEY_MISSING
    product = np.asarray(header["manufacturer_record"] == PRODUCT_ADVERTISEMENT)
    product_id = header["product_id"] * (product & (lengths >= PRODUCT_LENGTH))
    has_record = product & (status != Status.PRODUCT_ONLY) & (lengths > HEADER_LENGTH)
    present = 8 * (np.asarray(lengths, np.int64) - HEADER_LENGTH)

    def whole(row: Row, rows: Indices) -> Column:
        """The column of a layout nobody has published."""
        used = np.where(kind[rows] >> 8 == EXTENDED_TYPE, NO_KEY, owners[rows]).tolist()
        by = [None if number == NO_KEY else made[number] for number in used]
        return Column(row, *open_raw(payloads[rows, HEADER_LENGTH:], present[rows] // 8, nonces[rows], by))

    tables = _tables(status, kind, words, present, whole)
    return Batch(status, product_id, kind * has_record, nonces * has_record, tables)


def _without_company(payloads: NDArray[np.uint8], lengths: Numbers) -> tuple[NDArray[np.uint8], Numbers]:
    """Every payload without the company identifier that some stacks leave in front; contiguous, wide enough."""
    short = WIDTH - payloads.shape[1]
    payloads = np.ascontiguousarray(np.pad(payloads, ((0, 0), (0, short))) if short > 0 else payloads)
    suspect = np.flatnonzero((payloads[:, 0] == _COMPANY[0]) & (lengths > len(_COMPANY)))
    if not len(suspect):
        return payloads, lengths
    mark = payloads[suspect, 1 : len(_COMPANY) + 1] == (_COMPANY[1], PRODUCT_ADVERTISEMENT)
    longer = suspect[mark.all(axis=1)]
    payloads, lengths = payloads.copy(), np.array(lengths, np.int64)
    payloads[longer, : -len(_COMPANY)] = payloads[longer, len(_COMPANY) :]
    payloads[longer, -len(_COMPANY) :] = 0
    lengths[longer] -= len(_COMPANY)
    return payloads, lengths


def _header_type(width: int) -> np.dtype[Any]:
    """The header as the table has it, and the record behind it as two words."""
    rows = AdvertHeader.rows
    return np.dtype(
        {
            "names": [*(row.name for row in rows), "low", "high"],
            "formats": [*(f"<u{row.bits // 8}" for row in rows), "<u8", "<u8"],
            "offsets": [*(row.start // 8 for row in rows), HEADER_LENGTH, HEADER_LENGTH + _WORD // 8],
            "itemsize": width,
        }
    )


def _sort_out(header: Numbers, payloads: NDArray[np.uint8], lengths: Numbers) -> tuple[NDArray[np.uint8], Numbers]:
    """(status by the container alone, record type) of each advertisement; keys are looked at later."""
    kind = header["kind"].astype(np.uint16)
    extended = np.flatnonzero(kind == EXTENDED_TYPE)
    kind[extended] = EXTENDED_TYPE << 8 | header["key_check"][extended].astype(np.uint16)
    status = _known_types()[kind]
    status[lengths <= HEADER_LENGTH] = Status.PRODUCT_ONLY
    status[_idle_dongles(header, payloads, lengths)] = Status.PRODUCT_ONLY
    status[lengths < PRODUCT_LENGTH] = Status.MALFORMED
    status[header["manufacturer_record"] != PRODUCT_ADVERTISEMENT] = Status.UNKNOWN_TYPE
    status[np.asarray(lengths) == 0] = Status.MALFORMED
    return status, kind


def _known_types() -> NDArray[np.uint8]:
    """Status by record type."""
    known = np.full(1 << 16, Status.UNKNOWN_TYPE, np.uint8)
    known[[cls.record_type for cls in record_classes() if cls.record_type is not None]] = Status.DECODED
    return known


def _idle_dongles(header: Numbers, payloads: NDArray[np.uint8], lengths: Numbers) -> Indices:
    """Dongles with an unsupported device: type 0, nonce 0, key 0 and one byte over and over."""
    found = np.flatnonzero((header["kind"] == 0) & (header["nonce"] == 0) & (header["key_check"] == 0))
    body = payloads[found, HEADER_LENGTH:]
    inside = np.arange(body.shape[1]) < (np.asarray(lengths)[found, None].astype(np.int64) - HEADER_LENGTH)
    idle: Indices = found[((body == body[:, :1]) | ~inside).all(axis=1)]
    return idle


def _owners(keys: Sequence[Key], key_index: Numbers | None, count: int) -> NDArray[np.int64]:
    """Which key each advertisement has."""
    if key_index is None:
        return np.full(count, 0 if keys else NO_KEY, np.int64)
    return np.asarray(key_index, np.int64)


def _check_keys(keys: Sequence[Key], owner: Numbers, key_check: Numbers) -> NDArray[np.uint8]:
    """The status of sealed records by the first byte of their keys."""
    first = np.array([key[0] for key in keys], np.uint8)[owner]
    status = np.where(first == key_check, Status.DECODED, Status.KEY_MISMATCH).astype(np.uint8)
    status[owner == NO_KEY] = Status.KEY_MISSING
    return status


def _unseal(words: Words, sealed: Indices, nonces: Numbers, keys: Sequence[Key], owner: Numbers) -> None:
    """Open the records `sealed` in place: all counters of one key go through the cipher at once."""
    counts = np.bincount(owner, minlength=len(keys)).tolist()
    if len(keys) > 1:
        sealed = sealed[np.argsort(owner.astype(np.uint16), kind="stable")]
    counters = nonces[sealed].astype("<u2").tobytes()
    streams, begin = [], 0
    for key, count in zip(keys, counts, strict=True):
        if count:
            streams.append(key_streams(key, counters[2 * begin : 2 * (begin + count)]))
            begin += count
    stream = np.frombuffer(b"".join(streams), "<u8").reshape(-1, 2)
    for word, part in zip(words, stream.T, strict=True):
        if len(sealed) == len(word) and len(keys) == 1:
            word ^= part
        else:
            word[sealed] ^= part


def _tables(
    status: NDArray[np.uint8],
    kind: Numbers,
    words: Words,
    present: NDArray[np.int64],
    whole: Callable[[Row, Indices], Column],
) -> dict[type[Record], Table]:
    decoded = np.flatnonzero(status == Status.DECODED)
    kinds = kind[decoded]
    tables = {}
    for record_type in np.flatnonzero(np.bincount(kinds, minlength=1)).tolist():
        cls = record_class(record_type)
        if cls is not None:
            rows = decoded[kinds == record_type]
            low, high = words
            first = cls.rows[0]
            columns = (
                {first.name: whole(first, rows)} if first.raw else _columns(cls, (low[rows], high[rows]), present[rows])
            )
            tables[cls] = Table(rows, columns)
    return tables


def _columns(cls: type[Record], words: Words, present: NDArray[np.int64]) -> dict[str, Column]:
    """The columns of records of one class: `words` are their bits, `present` how many of them were sent."""
    count = len(present)
    rows = [row for row in cls.rows if not row.hidden]
    columns = {row.name: _empty(row, count) for row in rows}
    selectors = {row.name: row for row in cls.rows}
    for start in range(0, count, _COUNTS_AT_ONCE):
        part = slice(start, start + _COUNTS_AT_ONCE)
        some, bits = _filled(cls, (words[0][part], words[1][part]), present[part])
        for row in rows:
            column = columns[row.name]
            _evaluate(column, part, some)
            if row.when is not None:
                selected = _field(some, selectors[row.when[0]])
                _strike(column, part, np.logical_and.reduce([selected != code for code in row.when[1]]))
            if bits is not None:
                _strike(column, part, bits < row.end)
    return columns


def _filled(cls: type[Record], words: Words, bits: NDArray[np.int64]) -> tuple[Words, NDArray[np.int64] | None]:
    """Records with the bits that were not sent as ones, and how many were sent; None where all were."""
    if bits.min() >= cls.bits:
        return words, None
    return (words[0] | _ones_from(bits), words[1] | _ones_from(bits - _WORD)), bits


def _ones_from(bits: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Words of ones from a bit on: all of them from below bit 1, none from bit 64."""
    ones = np.uint64(0xFFFFFFFFFFFFFFFF) << np.clip(bits, 0, _WORD - 1).astype(np.uint64)
    return np.where(bits < _WORD, ones, np.uint64(0))


def _empty(row: Row, count: int) -> Column:
    shape = (count,) if row.count == 1 else (count, row.count)
    return Column(row, np.empty(shape, value_type(row)), np.ones(shape, np.bool_))


def value_type(row: Row) -> np.dtype[Any]:
    """The type of a row's values in a column."""
    if row.scale.divisor != 1:
        return np.dtype(np.float64)
    if row.pieces:
        return np.dtype(np.min_scalar_type(max(row.value(raw) or 0 for raw in range(row.mask + 1))))
    ends = (-(1 << row.bits - 1), row.mask >> 1) if row.signed else (0, row.mask)
    low, high = sorted(number * row.scale.factor + row.scale.shift for number in ends)
    return np.dtype(np.min_scalar_type(high if low >= 0 else min(low, -high - 1)))


def _field(words: Words, row: Row, element: int = 0) -> Numbers:
    """The raw numbers of a row: shifted up so that what is above falls off, and down with or without the sign."""
    start = row.start + row.bits * element
    end = start + row.bits
    if start // _WORD == (end - 1) // _WORD:
        word, top = words[start // _WORD], end % _WORD or _WORD
    else:
        low, high = np.uint64(start % _WORD), np.uint64(_WORD - start % _WORD)
        word, top = words[0] >> low | words[1] << high, row.bits
    raised = word << np.uint64(_WORD - top) if top < _WORD else word
    if row.signed:
        return np.asarray(raised.view(np.int64) >> np.int64(_WORD - row.bits))
    # A number below 2^63 is the same as a signed one, and those become floats faster.
    return np.asarray((raised >> np.uint64(_WORD - row.bits)).view(np.int64))


def _evaluate(column: Column, part: slice, words: Words) -> None:
    """Write the values of some records into a column."""
    row = column.row
    for element in range(row.count):
        values = column.values[part] if row.count == 1 else column.values[part, element]
        valid = column.valid[part] if row.count == 1 else column.valid[part, element]
        raw = _field(words, row, element)
        _scaled(row, raw, values)
        for code in row.na:
            absent = raw == (code - (row.mask + 1) if row.signed and code > row.mask >> 1 else code)
            if absent.any():
                _remove(values, valid, absent)


def _scaled(row: Row, raw: Numbers, values: Numbers) -> None:
    if row.pieces:
        values[...] = np.array([row.value(number) or 0 for number in range(row.mask + 1)], values.dtype)[raw]
        return
    scale = row.scale
    if scale.factor != 1:
        raw = raw * scale.factor
    if scale.shift:
        raw = raw + scale.shift
    if scale.divisor == 1:
        values[...] = raw
    else:
        np.divide(raw, scale.divisor, out=values)


def _strike(column: Column, part: slice, absent: Mask) -> None:
    """Mark whole values of some records as absent."""
    if absent.any():
        _remove(column.values[part], column.valid[part], absent)


def _remove(values: Numbers, valid: Mask, absent: Mask) -> None:
    valid[absent] = False
    if values.dtype.kind == "f":
        values[absent] = np.nan
