"""Advertisements of a capture as numpy columns, for the batch decoder (needs the `batch` extra).

Only finding where the records begin is a loop; everything else is gathered at once through a structured type that lays
the common shape over the buffer: a record header, then an event with one legacy report of flags and Victron's
manufacturer data. `AdvertisementReader` reads what has another shape, and the rest of a capture from its first
implausible header on: the rows are the same as those of that reader alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bluewatt.errors import CaptureError
from bluewatt.tables.gatt import COMPANY_ID
from bluewatt.wire.bluetooth.advertisement_reader import AdvertisementReader
from bluewatt.wire.bluetooth.advertising_data import MANUFACTURER_DATA, CapturedAdvertisement
from bluewatt.wire.bluetooth.hci_reports import ADVERTISING_REPORT, LE_META
from bluewatt.wire.bluetooth.packets import Packet, PacketKind
from bluewatt.wire.containers import LONGEST_HEADER, open_container
from bluewatt.wire.containers.columns_layout import WIDTH, Indices, RecordShape, find_records, gather, shape_of

BLOCK = 0x100000
"""The best size of the blocks to feed, in bytes."""

NO_STRENGTH = 127
"""The `rssi` of an advertisement whose strength the capture does not say."""

_EVENT = int(PacketKind.EVENT)

Bytes = NDArray[np.uint8]


class Columns(NamedTuple):
    """Advertisements of Victron devices, a row each, in the order of the capture."""

    at: NDArray[np.float64]
    """POSIX seconds."""
    address: NDArray[np.uint64]
    """The sender's address as a number: AA:BB:CC:DD:EE:FF is 0xAABBCCDDEEFF."""
    rssi: NDArray[np.int8]
    """dBm, `NO_STRENGTH` for not available."""
    payload: Bytes
    """Manufacturer data after the company identifier, zero padded: shape (rows, WIDTH)."""
    length: NDArray[np.uint8]
    """Bytes of the payload that count."""


_BEFORE_PAYLOAD = 20
"""Bytes of the event (without packet indicator) before the payload; one byte of strength stands behind it."""

_FLAGS_HEAD = 0x0201

_PADDING = np.tri(WIDTH + 1, WIDTH, -1, dtype=np.uint8)
"""Row n: n ones, then zeros; what a payload of n bytes is multiplied with."""

_NO_COLUMNS = Columns(
    np.empty(0, np.float64),
    np.empty(0, np.uint64),
    np.empty(0, np.int8),
    np.empty((0, WIDTH), np.uint8),
    np.empty(0, np.uint8),
)


def read_columns(
    blocks: Iterable[bytes], on_problem: Callable[[CaptureError], None] | None = None, kinds: set[int] | None = None
) -> Iterator[Columns]:
    """Yield the advertisements of a capture as columns, a chunk per block; errors as `read_packets` has them.

    `kinds` gathers the kinds of packets that the capture holds.
    """
    stream = iter(blocks)
    head = b""
    while len(head) < LONGEST_HEADER and (block := next(stream, None)) is not None:
        head += block
    reader = ColumnReader(head, on_problem, kinds)
    yield reader.feed(reader.rest)
    for block in stream:
        yield reader.feed(block)
    columns, error = reader.finish()
    yield columns
    if error:
        raise error


class ColumnReader:
    """The reader of one capture as columns; made with its first bytes, of which `rest` is fed first."""

    def __init__(
        self,
        head: bytes,
        on_problem: Callable[[CaptureError], None] | None = None,
        kinds: set[int] | None = None,
    ) -> None:
        self.kinds: set[int] = set() if kinds is None else kinds
        """The kinds of packets found so far."""
        self._reader, self.rest = open_container(head)
        self._advertisements = AdvertisementReader()
        self._on_problem = on_problem
        self._shape = shape_of(self._reader)
        self._buffer = b""

    def feed(self, block: bytes) -> Columns:
        """Take the next bytes. Return the advertisements they complete."""
        if not self._shape:
            return self._carefully(self._reader.feed(block))
        buffer = self._buffer + block if self._buffer else block
        starts, ends, sound = find_records(buffer, self._shape)
        # The last record is held back: if an implausible header follows, the packet reader starts with it.
        kept = int(starts[-1]) if len(starts) else 0
        columns = self._gather(buffer, starts[:-1], ends[:-1], self._shape)
        self._buffer = buffer[kept:]
        self._reader.offset += kept
        if not sound:
            columns = concatenate([columns, self._give_up()])
        return columns

    def finish(self) -> tuple[Columns, CaptureError | None]:
        """Return the last advertisements and, for a capture cut or lost at its end, the error."""
        columns = self._give_up()
        packets, error = self._reader.finish()
        return concatenate([columns, self._carefully(packets)]), error

    def _give_up(self) -> Columns:
        """Hand the bytes not read yet, and all that follow, to the packet reader."""
        rest, self._buffer, self._shape = self._buffer, b"", None
        return self._carefully(self._reader.feed(rest))

    def _carefully(self, packets: list[Packet]) -> Columns:
        columns = pack(self._advertisements.read(packets))
        self.kinds.update(packet[1] for packet in packets)
        self._tell()
        return columns

    def _tell(self) -> None:
        for problems in (self._reader.problems, self._advertisements.problems):
            if self._on_problem:
                for problem in problems:
                    self._on_problem(problem)
            problems.clear()

    def _gather(self, buffer: bytes, starts: Indices, ends: Indices, shape: RecordShape) -> Columns:
        if not len(starts):
            return _NO_COLUMNS
        rows = gather(buffer, starts, shape.layout)
        self.kinds.update(np.flatnonzero(np.bincount(rows["kind"])).tolist())
        sizes = ends - starts - (shape.header + shape.wrapping + 1)
        common = _common(rows, sizes)
        others = np.flatnonzero(~common & _worth_reading(rows, sizes))
        if common.all():
            return _columns(buffer, rows, ends, sizes, shape)
        columns = _columns(buffer, gather(buffer, starts[common], shape.layout), ends[common], sizes[common], shape)
        if not len(others):
            return columns
        numbers, careful = self._one_by_one(buffer, others, starts, ends, shape)
        order = np.argsort(np.concatenate([np.flatnonzero(common), numbers]), kind="stable")
        return _arranged(concatenate([columns, careful]), order)

    def _one_by_one(
        self, buffer: bytes, others: Indices, starts: Indices, ends: Indices, shape: RecordShape
    ) -> tuple[Indices, Columns]:
        """Read the events of other shapes one by one. Return the record number of each advertisement, and them."""
        before = shape.header + shape.wrapping + 1
        bodies = zip(others.tolist(), (starts[others] + before).tolist(), ends[others].tolist(), strict=True)
        base = self._reader.offset - before
        # The number of the record stands in place of the time, so that it comes back with each advertisement.
        packets = [(number, _EVENT, None, buffer[body:end], base + body, 0) for number, body, end in bodies]
        found = [row for row in self._advertisements.read(packets) if row[5] is not None]
        self._tell()
        numbers = np.array([row[0] for row in found], np.int64)
        columns = pack(found)
        if not found:
            return numbers, columns
        return numbers, columns._replace(at=shape.seconds(gather(buffer, starts[numbers], shape.layout)))


def _common(rows: NDArray[np.void], sizes: Indices) -> NDArray[np.bool_]:
    """Return which rows have the common shape: every length agrees with every other."""
    return np.asarray(
        (rows["kind"] == PacketKind.EVENT)
        & (rows["code"] == LE_META)
        & (rows["parameters"] == sizes - 2)
        & (rows["subevent"] == ADVERTISING_REPORT)
        & (rows["reports"] == 1)
        & (rows["data_length"] == sizes - 14)
        & (rows["flags_head"] == _FLAGS_HEAD)
        & (rows["structure"] == sizes - 18)
        & (rows["ad_type"] == MANUFACTURER_DATA)
        & (rows["company"] == COMPANY_ID)
        & (sizes > _BEFORE_PAYLOAD)
        & (sizes <= _BEFORE_PAYLOAD + WIDTH + 1)
    )


def _worth_reading(rows: NDArray[np.void], sizes: Indices) -> NDArray[np.bool_]:
    """Return which rows are events that may hold an advertisement, or damaged ones that must be reported."""
    event = (rows["kind"] == PacketKind.EVENT) & (sizes >= 0)
    return np.asarray(event & ((rows["code"] == LE_META) | (sizes < 2) | (rows["parameters"] != sizes - 2)))


def _columns(buffer: bytes, rows: NDArray[np.void], ends: Indices, sizes: Indices, shape: RecordShape) -> Columns:
    length = (sizes - _BEFORE_PAYLOAD - 1).astype(np.uint8)
    address = rows["address_high"].astype(np.uint64) << np.uint64(32) | rows["address_low"]
    rssi = np.frombuffer(buffer, np.int8)[ends - 1]
    return Columns(shape.seconds(rows), address, rssi, rows["payload"] * _PADDING[length], length)


def _arranged(columns: Columns, order: Indices) -> Columns:
    at, address, rssi, payload, length = columns
    return Columns(at[order], address[order], rssi[order], payload[order], length[order])


def pack(advertisements: Iterable[CapturedAdvertisement]) -> Columns:
    """Return the columns of advertisements read one by one; those without a payload (names) are left out.

    CaptureError if a sender has no Bluetooth address.
    """
    rows = [row for row in advertisements if row[5] is not None]
    if not rows:
        return _NO_COLUMNS
    payloads = [(row[5] or b"")[:WIDTH] for row in rows]
    return Columns(
        np.array([row[0] for row in rows], np.float64),
        _addresses(row[1] for row in rows),
        np.array([NO_STRENGTH if row[3] is None else row[3] for row in rows], np.int8),
        np.frombuffer(b"".join(payload.ljust(WIDTH, b"\0") for payload in payloads), np.uint8).reshape(-1, WIDTH),
        np.array([len(payload) for payload in payloads], np.uint8),
    )


def _addresses(texts: Iterable[str]) -> NDArray[np.uint64]:
    try:
        return np.array([int(text.replace(":", ""), 16) for text in texts], np.uint64)
    except ValueError:
        raise CaptureError("this recording has no Bluetooth addresses (macOS hides them): use json or csv") from None


def concatenate(parts: Iterable[Columns]) -> Columns:
    """Join chunks of columns."""
    filled = [part for part in parts if len(part.at)]
    if len(filled) < 2:
        return filled[0] if filled else _NO_COLUMNS
    return Columns(*(np.concatenate(columns) for columns in zip(*filled, strict=True)))
