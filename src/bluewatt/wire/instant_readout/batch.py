"""Many advertisements at once, to columns of numpy arrays (needs the `batch` extra).

The same rows as the decoder of single records, the same numbers to the last bit: what differs is that each row is
evaluated once for thousands of records. Nothing is dropped silently: every advertisement has a `Status`. A record
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
from bluewatt.wire.instant_readout.batch_columns import WORD, Column, Numbers, Words, columns_of
from bluewatt.wire.instant_readout.batch_keys import NO_KEY
from bluewatt.wire.instant_readout.batch_raw import open_raw
from bluewatt.wire.instant_readout.cipher import BLOCK, Key, key_streams

WIDTH = HEADER_LENGTH + BLOCK
"""How many bytes of an advertisement are looked at, but for layouts nobody has published: of those all."""

_COMPANY = COMPANY_ID.to_bytes(2, "little")
Indices = NDArray[np.intp]


class Status(IntEnum):
    """The outcome for an advertisement."""

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
        """The error that the decoder of single advertisements raises."""
        return _ERRORS.get(self)


_ERRORS: dict[Status, type[BluewattError]] = {
    Status.KEY_MISSING: KeyMissing,
    Status.KEY_MISMATCH: KeyMismatch,
    Status.UNKNOWN_TYPE: UnknownType,
    Status.MALFORMED: Malformed,
}


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
        """Return which advertisements gave no record, by reason."""
        reasons = {status: np.flatnonzero(self.status == status) for status in Status if status is not Status.DECODED}
        return {status: indices for status, indices in reasons.items() if len(indices)}


def payload_matrix(payloads: Sequence[bytes]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return manufacturer data given one by one as the arrays of `decode_batch`: (bytes, zero padded; lengths)."""
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
    """Return the records of many advertisements, opened and decoded.

    `payloads` has a row of bytes per advertisement (manufacturer data after the company identifier, zero padded, at
    least 24 columns), `lengths` says how many of them count. `key_index` says which of `keys` each advertisement has,
    `NO_KEY` for none; left out, all have the first of `keys`. KeyProblem for a key that is none.
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
        """Return the column of a layout nobody has published."""
        used = np.where(kind[rows] >> 8 == EXTENDED_TYPE, NO_KEY, owners[rows]).tolist()
        by = [None if number == NO_KEY else made[number] for number in used]
        return Column(row, *open_raw(payloads[rows, HEADER_LENGTH:], present[rows] // 8, nonces[rows], by))

    tables = _tables(status, kind, words, present, whole)
    return Batch(status, product_id, kind * has_record, nonces * has_record, tables)


def _without_company(payloads: NDArray[np.uint8], lengths: Numbers) -> tuple[NDArray[np.uint8], Numbers]:
    """Return every payload without the company identifier that some stacks leave in front; contiguous, wide enough."""
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
    """Return the header as the table has it, and the record behind it as two words."""
    rows = AdvertHeader.rows
    return np.dtype(
        {
            "names": [*(row.name for row in rows), "low", "high"],
            "formats": [*(f"<u{row.bits // 8}" for row in rows), "<u8", "<u8"],
            "offsets": [*(row.start // 8 for row in rows), HEADER_LENGTH, HEADER_LENGTH + WORD // 8],
            "itemsize": width,
        }
    )


def _sort_out(header: Numbers, payloads: NDArray[np.uint8], lengths: Numbers) -> tuple[NDArray[np.uint8], Numbers]:
    """Return (status by the container alone, record type) of each advertisement; keys are checked later."""
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
    """Return status by record type."""
    known = np.full(1 << 16, Status.UNKNOWN_TYPE, np.uint8)
    known[[cls.record_type for cls in record_classes() if cls.record_type is not None]] = Status.DECODED
    return known


def _idle_dongles(header: Numbers, payloads: NDArray[np.uint8], lengths: Numbers) -> Indices:
    """Return which are dongles with an unsupported device: type 0, nonce 0, key 0 and one byte repeated."""
    found = np.flatnonzero((header["kind"] == 0) & (header["nonce"] == 0) & (header["key_check"] == 0))
    body = payloads[found, HEADER_LENGTH:]
    inside = np.arange(body.shape[1]) < (np.asarray(lengths)[found, None].astype(np.int64) - HEADER_LENGTH)
    idle: Indices = found[((body == body[:, :1]) | ~inside).all(axis=1)]
    return idle


def _owners(keys: Sequence[Key], key_index: Numbers | None, count: int) -> NDArray[np.int64]:
    """Return which key each advertisement has."""
    if key_index is None:
        return np.full(count, 0 if keys else NO_KEY, np.int64)
    return np.asarray(key_index, np.int64)


def _check_keys(keys: Sequence[Key], owner: Numbers, key_check: Numbers) -> NDArray[np.uint8]:
    """Return the status of sealed records by the first byte of their keys."""
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
            if first.raw:
                columns = {first.name: whole(first, rows)}
            else:
                columns = columns_of(cls, (low[rows], high[rows]), present[rows])
            tables[cls] = Table(rows, columns)
    return tables
