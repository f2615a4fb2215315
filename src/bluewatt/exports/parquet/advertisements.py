"""Decoded advertisements as a Parquet file, for data frames and databases (needs the `batch` extra).

A file has one row per advertisement: time, address, strength, status, and a column for every metric that any record
can carry, null if this one does not. The schema does not depend on the capture; the unit and label of a column are in
the metadata of its field. An advertisement that could not be decoded has its row, too, with the reason in `status`.
Memory is bounded: a row group is written whenever enough advertisements are there, by a thread, while the next one is
decoded; Arrow releases the interpreter lock while it writes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from bluewatt.exports.parquet.arrow_table import occurring, schema, to_arrow
from bluewatt.model.trust.evidence import judge
from bluewatt.model.trust.key_verdict import KeyState, KeyVerdict
from bluewatt.schema import Record
from bluewatt.tables.records import EXTENDED_TYPE
from bluewatt.wire.containers.columns import Columns, concatenate
from bluewatt.wire.instant_readout.advertisement import HEADER_LENGTH, decode_advertisement
from bluewatt.wire.instant_readout.batch import Batch, Indices, Status, decode_batch
from bluewatt.wire.instant_readout.batch_keys import NO_KEY, add_loose_keys, key_indices
from bluewatt.wire.instant_readout.cipher import Key

ROW_GROUP = 32768
"""Advertisements written at once."""

_COMPRESSION = "zstd"
_RISING = ("at", "nonce")
"""Columns whose values rise in small steps: the differences are written."""

_OPEN = EXTENDED_TYPE << 8
"""The first record type whose records are not encrypted."""

_WEIGHED = 12
"""Advertisements of a device examined in each row group until its key is proven."""


class ParquetWriter:
    """Decodes chunks of advertisements and writes them to a Parquet file; a context manager.

    `keys` are keys by address (AA:BB:CC:DD:EE:FF is 0xAABBCCDDEEFF), `loose` those whose device is not known. With
    `prove_keys`, an advertisement whose decrypted content makes no sense counts as `KEY_MISMATCH`. Raises KeyProblem
    for what is no key, OSError if the file cannot be written.
    """

    def __init__(
        self,
        path: Path,
        keys: Mapping[int, bytes | str],
        *,
        loose: Sequence[bytes | str] = (),
        row_group: int = ROW_GROUP,
        prove_keys: bool = True,
    ) -> None:
        self.counts = dict.fromkeys(Status, 0)
        """Advertisements written so far, by status."""
        self._keys = {address: Key.of(key) for address, key in keys.items()}
        self._loose = [Key.of(key) for key in loose]
        self._row_group = row_group
        self._prove_keys = prove_keys
        self._proven: set[int] = set()
        """Devices and their proven keys: the address and the index of the key in one number."""
        self._waiting: list[Columns] = []
        self._thread = ThreadPoolExecutor(max_workers=1)
        self._writing: Future[None] | None = None
        self._writer = pq.ParquetWriter(
            path,
            schema(),
            compression=_COMPRESSION,
            write_statistics=["at"],
            use_dictionary=[field.name for field in schema() if field.name not in _RISING],
            column_encoding=dict.fromkeys(_RISING, "DELTA_BINARY_PACKED"),
        )

    def __enter__(self) -> ParquetWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def add(self, columns: Columns) -> None:
        """Add advertisements; they are written when enough for a row group are there."""
        self._waiting.append(columns)
        if sum(len(chunk.at) for chunk in self._waiting) >= self._row_group:
            self._write(at_least=self._row_group)

    def close(self) -> None:
        """Write what is left, and close the file."""
        try:
            self._write(at_least=1)
            self._settle()
        finally:
            self._thread.shutdown()
            self._writer.close()

    def _settle(self) -> None:
        """Wait until the row group in the hands of the thread is written; there is at most one."""
        if self._writing is not None:
            self._writing.result()
            self._writing = None

    def _write(self, *, at_least: int) -> None:
        """Write row groups while at least `at_least` advertisements are left."""
        columns = concatenate(self._waiting)
        start = 0
        while len(columns.at) - start >= at_least:
            part = _part(columns, slice(start, start + self._row_group))
            batch = self._decode(part)
            for status, count in enumerate(np.bincount(batch.status, minlength=len(Status)).tolist()):
                self.counts[Status(status)] += count
            table = to_arrow(part, batch)
            self._settle()
            self._writing = self._thread.submit(self._writer.write_table, table, row_group_size=self._row_group)
            start += len(part.at)
        self._waiting = [_part(columns, slice(start, None))]

    def _decode(self, columns: Columns) -> Batch:
        keys, index = key_indices(columns.address, self._keys)
        if self._loose:
            keys, index = add_loose_keys(keys, index, self._loose, columns.payload)
        batch = decode_batch(columns.payload, columns.length, keys, index)
        refuted = self._refuted(columns, batch, keys, index) if self._prove_keys and keys else []
        if refuted:
            index[np.concatenate(refuted)] = NO_KEY
            batch = decode_batch(columns.payload, columns.length, keys, index)
            batch.status[np.concatenate(refuted)] = Status.KEY_MISMATCH
        return batch

    def _refuted(self, columns: Columns, batch: Batch, keys: Sequence[Key], index: NDArray[np.int16]) -> list[Indices]:
        """Return, for each device whose key is refuted by the content it decrypts, the rows opened with that key."""
        opened = np.flatnonzero((batch.status == Status.DECODED) & (batch.record_type < _OPEN) & (index != NO_KEY))
        pairs = columns.address[opened] << np.uint64(16) | index[opened].astype(np.uint64)
        found = []
        for pair in occurring(pairs).tolist():
            if pair in self._proven:
                continue
            rows = opened[pairs == pair]
            verdict = _weigh(columns, batch, rows, keys[index[rows[0]]])
            if verdict.state is KeyState.RIGHT:
                self._proven.add(pair)
            elif verdict.score < 0:
                found.append(rows)
        return found


def _weigh(columns: Columns, batch: Batch, rows: Indices, key: Key) -> KeyVerdict:
    """Return the verdict about a key from some of the advertisements it opened, without repetitions."""
    some = {int(batch.nonce[row]): row for row in rows[:: -(-len(rows) // _WEIGHED)]}
    verdict = KeyVerdict()
    before: Record | None = None
    for row in some.values():
        payload = columns.payload[row, : int(columns.length[row])].tobytes()
        record = decode_advertisement(payload, key)
        length = len(payload) - HEADER_LENGTH
        short = length < record.length()
        alike = before if type(before) is type(record) and not short else None
        judgement = judge(record, length=length if short else None, before=alike)
        verdict.content(judgement.evidence, incredible=judgement.incredible)
        before = None if short else record
    return verdict


def write_parquet(
    path: Path,
    chunks: Iterable[Columns],
    keys: Mapping[int, bytes | str],
    *,
    loose: Sequence[bytes | str] = (),
    prove_keys: bool = True,
) -> dict[Status, int]:
    """Write all chunks to a Parquet file. Return how many advertisements there were, by status."""
    with ParquetWriter(path, keys, loose=loose, prove_keys=prove_keys) as writer:
        for chunk in chunks:
            writer.add(chunk)
    return writer.counts


def _part(columns: Columns, part: slice) -> Columns:
    at, address, rssi, payload, length = columns
    return Columns(at[part], address[part], rssi[part], payload[part], length[part])
