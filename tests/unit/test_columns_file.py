"""The Parquet file: read back, it says what the decoder of single advertisements says, row by row."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("numpy", reason="the batch extra is not installed")
pytest.importorskip("pyarrow", reason="the batch extra is not installed")

import numpy as np
import pyarrow.parquet as pq

from bluewatt import build_advertisement, decode_advertisement, decode_record
from bluewatt.errors import BluewattError
from bluewatt.exports.parquet.advertisements import ParquetWriter, write_parquet
from bluewatt.exports.parquet.arrow_table import schema
from bluewatt.schema import Code, Record
from bluewatt.tables.advertisement import ProductOnly
from bluewatt.tables.records import record_classes
from bluewatt.tables.records.battery_monitor import BatteryMonitor
from bluewatt.wire.containers.columns import NO_STRENGTH, Columns
from bluewatt.wire.containers.columns_layout import WIDTH
from bluewatt.wire.instant_readout.batch import Status

KEY = bytes(range(7, 23))
ADDRESS = 0xC0AA00000001
STRANGER = 0xC0AA00000002
START = 1_763_660_000.25


def heard() -> list[tuple[int, bytes]]:
    """(address, payload): every kind of record thrice with some bits, and what cannot be decoded."""
    random = np.random.default_rng(3)
    found = []
    for number, cls in enumerate(record_classes() * 3):
        record = decode_record(cls.record_type or 0, random.bytes(max(cls.length(), 14)))
        found.append((ADDRESS, build_advertisement(record, product_id=0xA389, key=KEY, nonce=number)))
    return [*found, (STRANGER, found[1][1]), (ADDRESS, found[1][1][:4]), (ADDRESS, b"\x10"), (ADDRESS, b"\x02abcd")]


def columns(rows: list[tuple[int, bytes]]) -> Columns:
    matrix = np.zeros((len(rows), WIDTH), np.uint8)
    for place, (_, payload) in enumerate(rows):
        matrix[place, : len(payload)] = np.frombuffer(payload, np.uint8)
    return Columns(
        START + np.arange(len(rows)),
        np.array([address for address, _ in rows], np.uint64),
        np.where(np.arange(len(rows)) % 7 == 3, NO_STRENGTH, -60).astype(np.int8),
        matrix,
        np.array([len(payload) for _, payload in rows], np.uint8),
    )


def chunks(rows: list[tuple[int, bytes]], size: int) -> Iterator[Columns]:
    for start in range(0, len(rows), size):
        part = columns(rows[start : start + size])
        yield part._replace(at=part.at + start)


def in_json(value: Any) -> Any:
    """A value of a record as the file has it: keys of enumerations, those of set bits with commas between."""
    if hasattr(value, "as_json"):
        return value.as_json() if isinstance(value, Code) else ",".join(value.as_json())
    return list(value) if isinstance(value, tuple) else value


def expected(payload: bytes, key: bytes | None) -> dict[str, Any]:
    try:
        record = decode_advertisement(payload, key)
    except BluewattError:
        return {}
    return {row.name: in_json(getattr(record, row.name)) for row in record.rows if not row.hidden}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "heard.parquet"
    with ParquetWriter(path, {ADDRESS: KEY}, row_group=16, prove_keys=False) as writer:
        for chunk in chunks(heard(), 10):
            writer.add(chunk)
    return path


def test_every_row_says_what_the_single_decoder_says(file: Path) -> None:
    rows = pq.read_table(file).to_pylist()
    assert len(rows) == len(heard())
    for row, (address, payload) in zip(rows, heard(), strict=True):
        wanted = expected(payload, KEY if address == ADDRESS else None)
        metrics = {name: row[name] for name in schema().names[8:]}
        assert metrics == {name: wanted.get(name) for name in metrics}


@pytest.mark.parametrize("cls", record_classes(), ids=lambda cls: cls.record_name)
def test_a_file_of_one_kind_of_record_says_the_same(cls: type[Record], tmp_path: Path) -> None:
    """One record fills every row: its columns may be narrower than those of the file."""
    rows = [
        row for row in heard() if len(row[1]) > 8 and decode_advertisement(row[1], KEY).record_name == cls.record_name
    ]
    rows = [row for row in rows if row[0] == ADDRESS]
    write_parquet(tmp_path / "one.parquet", [columns(rows)], {ADDRESS: KEY}, prove_keys=False)
    for found, (_, payload) in zip(pq.read_table(tmp_path / "one.parquet").to_pylist(), rows, strict=True):
        values = expected(payload, KEY)
        assert values
        assert {name: found[name] for name in values} == values


def test_what_was_heard_stands_beside_the_values(file: Path) -> None:
    rows = pq.read_table(file).to_pylist()
    assert rows[0]["at"] == datetime.fromtimestamp(START, UTC)
    assert rows[0]["address"] == "C0:AA:00:00:00:01"
    assert [row["rssi"] for row in rows[:5]] == [-60, -60, -60, None, -60]
    assert [row["nonce"] for row in rows[:3]] == [0, 1, 2]
    assert [row["record"] for row in rows[:3]] == ["test", "solar_charger", "battery_monitor"]
    assert rows[16]["record_type"] == 0xFF01


def test_what_could_not_be_decoded_has_its_row_and_reason(file: Path) -> None:
    rows = pq.read_table(file).to_pylist()[-4:]
    assert [row["status"] for row in rows] == ["key_missing", "product_only", "malformed", "unknown_type"]
    assert [row["product_id"] for row in rows] == [0xA389, 0xA389, None, None]
    assert [row["record"] for row in rows] == ["solar_charger", None, None, None]


def test_the_counts_and_the_row_groups(tmp_path: Path) -> None:
    path = tmp_path / "heard.parquet"
    counts = write_parquet(path, chunks(heard(), 50), {}, loose=[KEY], prove_keys=False)
    records = 3 * len(record_classes())
    assert {status: count for status, count in counts.items() if count} == {
        Status.DECODED: records + 1,
        Status.PRODUCT_ONLY: 1,
        Status.MALFORMED: 1,
        Status.UNKNOWN_TYPE: 1,
    }
    assert pq.ParquetFile(path).metadata.num_rows == records + 4


def test_row_groups_are_bounded(file: Path) -> None:
    metadata = pq.ParquetFile(file).metadata
    assert metadata.num_row_groups > 2
    assert max(metadata.row_group(number).num_rows for number in range(metadata.num_row_groups)) <= 16


def test_what_keeps_a_row_group_from_being_written_is_raised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pq.ParquetWriter, "write_table", full)
    before = threading.active_count()
    with pytest.raises(OSError, match="No space left"):
        write_parquet(tmp_path / "heard.parquet", chunks(heard(), 50), {})
    assert threading.active_count() == before


def test_a_capture_without_an_advertisement_is_a_file_without_a_row(tmp_path: Path) -> None:
    path = tmp_path / "empty.parquet"
    write_parquet(path, [], {})
    assert pq.read_table(path).num_rows == 0
    assert pq.read_schema(path).names == schema().names


def test_units_and_labels_stand_in_the_fields(file: Path) -> None:
    field = pq.read_schema(file).field("battery_voltage")
    assert field.metadata[b"unit"] == b"V"
    assert field.metadata[b"label"] == b"Battery voltage"


def test_every_row_of_every_record_has_its_column() -> None:
    def names(cls: type[Record]) -> set[str]:
        return {row.name for row in cls.rows if not row.hidden}

    assert set().union(*map(names, [*record_classes(), ProductOnly])) <= set(schema().names)


def believable(key: bytes, count: int = 40) -> list[tuple[int, bytes]]:
    """What a battery monitor says in so many seconds, every sample twice."""
    said = []
    for second in range(count):
        record = BatteryMonitor(battery_voltage=12.5 + second / 100, battery_current=-4.2, alarm_reason=0, aux_mode=3)
        said += [(ADDRESS, build_advertisement(record, product_id=0xA389, key=key, nonce=second))] * 2
    return said


@pytest.mark.parametrize("filed", [{ADDRESS: True}, {}], ids=["filed", "loose"])
@pytest.mark.parametrize("right", [True, False])
def test_a_key_whose_first_byte_fits_gives_values_only_if_they_make_sense(
    tmp_path: Path, filed: dict[int, bool], right: bool
) -> None:
    key = KEY if right else KEY[:-1] + b"\0"
    path = tmp_path / "heard.parquet"
    with ParquetWriter(
        path, dict.fromkeys(filed, key), loose=[] if filed else [key], row_group=16
    ) as writer:  # fmt: skip
        for chunk in chunks(believable(KEY), 10):
            writer.add(chunk)
    rows = pq.read_table(path).to_pylist()
    assert {row["status"] for row in rows} == {"decoded" if right else "key_mismatch"}
    assert {row["battery_voltage"] is not None for row in rows} == {right}
    assert writer.counts[Status.DECODED if right else Status.KEY_MISMATCH] == len(rows) == 80


def test_only_the_device_with_the_wrong_key_is_silent(tmp_path: Path) -> None:
    path = tmp_path / "heard.parquet"
    said = [*believable(KEY), *((STRANGER, payload) for _, payload in believable(KEY))]
    write_parquet(path, chunks(said, 160), {ADDRESS: KEY, STRANGER: KEY[:-1] + b"\0"})
    rows = pq.read_table(path).to_pylist()
    assert [row["status"] for row in rows] == ["decoded"] * 80 + ["key_mismatch"] * 80
