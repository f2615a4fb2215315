"""The batch decoder: the vectors as one batch, absent values, keys, and what becomes of the undecodable."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("numpy", reason="the batch extra is not installed")

import numpy as np

from bluewatt import build_advertisement, decode_advertisement, decode_record
from bluewatt.errors import KeyMismatch, KeyMissing, KeyProblem, Malformed, UnknownType
from bluewatt.model.keys import KeyRing
from bluewatt.model.reading import Frame
from bluewatt.model.single_advertisement import open_one
from bluewatt.schema import Record, Row
from bluewatt.tables.records import record_classes
from bluewatt.tables.records.battery_monitor import BatteryMonitor
from bluewatt.tables.records.smart_bms import SmartBms
from bluewatt.tables.records.smart_lithium import SmartLithium
from bluewatt.wire.instant_readout.advertisement import open_advertisement, open_at_once, parse_advertisement
from bluewatt.wire.instant_readout.batch import Batch, Status, decode_batch, payload_matrix
from bluewatt.wire.instant_readout.batch_columns import Column, value_type
from bluewatt.wire.instant_readout.batch_keys import NO_KEY, add_loose_keys, key_indices
from bluewatt.wire.instant_readout.cipher import Key

KEY = bytes(range(7, 23))
OTHER = bytes(range(90, 106))


def sealed(cls: type[Record], plain: bytes, *, key: bytes = KEY, nonce: int = 5) -> bytes:
    """An advertisement of bytes as they are, spare bits and absent values included."""
    record = SmartBms(raw=plain)
    assert cls.record_type is not None
    data = bytearray(build_advertisement(record, product_id=0xA389, key=key, nonce=nonce))
    data[4] = cls.record_type & 0xFF
    if cls.record_type >> 8:
        return bytes([*data[:4], 0xFF, *data[5:7], cls.record_type & 0xFF]) + plain
    return bytes(data)


def run(payloads: list[bytes], key: bytes = KEY) -> Batch:
    return decode_batch(*payload_matrix(payloads), [key])


def filled_with(row: Row, cls: type[Record], raw: int) -> bytes:
    bits = (1 << 8 * cls.length()) - 1
    for number in range(row.count):
        start = row.start + row.bits * number
        bits = bits & ~(row.mask << start) | raw << start
    for selector in cls.rows:
        if row.when and selector.name == row.when[0]:
            bits = bits & ~(selector.mask << selector.start) | row.when[1][0] << selector.start
    return bits.to_bytes(cls.length(), "little")


ABSENT = [(cls, row, raw) for cls in record_classes() for row in cls.rows for raw in row.na]


@pytest.mark.parametrize(("cls", "row", "raw"), ABSENT, ids=lambda value: getattr(value, "name", None))
def test_every_pattern_for_absent_is_absent(cls: type[Record], row: Row, raw: int) -> None:
    column = run([sealed(cls, filled_with(row, cls, raw))]).tables[cls].columns[row.name]
    assert not column.valid.any()
    if column.values.dtype.kind == "f":
        assert np.isnan(column.values).all()


@pytest.mark.parametrize(("cls", "row", "raw"), ABSENT, ids=lambda value: getattr(value, "name", None))
def test_a_neighbour_of_an_absent_pattern_is_there(cls: type[Record], row: Row, raw: int) -> None:
    beside = raw - 1
    column = run([sealed(cls, filled_with(row, cls, beside))]).tables[cls].columns[row.name]
    alone = getattr(decode_record(cls.record_type or 0, filled_with(row, cls, beside)), row.name)
    assert column.valid.all()
    assert np.ravel(column.values).tolist() == (list(alone) if row.count > 1 else [alone])


def test_the_vectors_as_one_batch(shared: Path) -> None:
    vectors = json.loads((shared / "vectors" / "instant_readout.json").read_text(encoding="utf-8"))["vectors"]
    chosen = [vector for vector in vectors if vector.get("key") and vector.get("manufacturer_data_hex")]
    assert len(chosen) > 20
    payloads = [bytes.fromhex(vector["manufacturer_data_hex"]) for vector in chosen]
    keys = [bytes.fromhex(vector["key"]) for vector in chosen]
    batch = decode_batch(*payload_matrix(payloads), keys, np.arange(len(keys)))
    checked = 0
    for table in batch.tables.values():
        for place, number in enumerate(table.rows.tolist()):
            for name, wanted in chosen[number]["expected"].items():
                if name in table.columns:
                    assert value(table.columns[name], place) == wanted
                    checked += 1
    assert checked > 100


def value(column: Column, place: int) -> object:
    values, valid = column.values[place], column.valid[place]
    if column.row.raw:
        return values[valid].tobytes().hex()
    if column.row.count > 1:
        return [one if there else None for one, there in zip(values.tolist(), valid.tolist(), strict=True)]
    return values.item() if valid else None


def test_each_fate_has_its_status() -> None:
    good = sealed(BatteryMonitor, bytes(15))
    fates = {
        good: Status.DECODED,
        b"\xe1\x02" + good: Status.DECODED,
        good[:4]: Status.PRODUCT_ONLY,
        good[:8]: Status.PRODUCT_ONLY,
        bytes.fromhex("100289a300000000") + b"\x55" * 9: Status.PRODUCT_ONLY,
        sealed(BatteryMonitor, bytes(15), key=OTHER): Status.KEY_MISMATCH,
        good[:4] + b"\x42" + good[5:]: Status.UNKNOWN_TYPE,
        b"\x02" + good[1:]: Status.UNKNOWN_TYPE,
        good[:3]: Status.MALFORMED,
        b"": Status.MALFORMED,
    }
    batch = run(list(fates))
    assert [Status(status) for status in batch.status] == list(fates.values())
    assert {status: indices.tolist() for status, indices in batch.undecoded().items()} == {
        Status.PRODUCT_ONLY: [2, 3, 4],
        Status.KEY_MISMATCH: [5],
        Status.UNKNOWN_TYPE: [6, 7],
        Status.MALFORMED: [8, 9],
    }
    assert batch.tables[BatteryMonitor].rows.tolist() == [0, 1]
    assert batch.product_id.tolist() == [0xA389] * 7 + [0] * 3
    assert batch.nonce.tolist() == [5, 5, 0, 0, 0, 5, 5, 0, 0, 0]


def test_a_status_names_the_error_of_the_single_decoder() -> None:
    errors = {Status.KEY_MISSING: KeyMissing, Status.KEY_MISMATCH: KeyMismatch, Status.UNKNOWN_TYPE: UnknownType}
    errors[Status.MALFORMED] = Malformed
    assert {status: status.error for status in Status if status.error} == errors


def test_without_a_key_sealed_records_stay_sealed() -> None:
    batch = decode_batch(*payload_matrix([sealed(BatteryMonitor, bytes(15))]))
    assert batch.status.tolist() == [Status.KEY_MISSING]
    assert batch.tables == {}


def test_an_empty_batch_is_empty() -> None:
    batch = decode_batch(*payload_matrix([]), [KEY])
    assert batch.status.shape == (0,)
    assert batch.tables == {}


def test_keys_are_found_by_address() -> None:
    addresses = np.array([0xC00000000002, 0xC00000000009, 0xC00000000001], np.uint64)
    keys, index = key_indices(addresses, {0xC00000000001: KEY, 0xC00000000002: OTHER.hex()})
    assert [bytes(key) for key in keys] == [KEY, OTHER]
    assert index.tolist() == [1, NO_KEY, 0]
    assert key_indices(addresses, {})[1].tolist() == [NO_KEY] * 3
    with pytest.raises(KeyProblem):
        key_indices(addresses, {0xC00000000001: b"short"})


def test_loose_keys_serve_by_their_first_byte_those_without_a_key() -> None:
    payloads = [sealed(BatteryMonitor, bytes(15), key=key) for key in (KEY, OTHER, OTHER)]
    matrix, lengths = payload_matrix(payloads)
    keys, index = add_loose_keys([Key(OTHER)], np.array([NO_KEY, NO_KEY, 0], np.int16), [KEY, OTHER], matrix)
    assert index.tolist() == [1, 2, 0]
    assert decode_batch(matrix, lengths, keys, index).status.tolist() == [0, 0, 0]


def test_many_keys_give_what_each_gives_alone() -> None:
    keys = [bytes([number]) + KEY[1:] for number in range(50)]
    plain = (1253).to_bytes(4, "big") + bytes(11)
    order = np.random.default_rng(1).permutation(np.repeat(np.arange(50), 3))
    payloads = [
        sealed(BatteryMonitor, plain, key=keys[owner], nonce=number) for number, owner in enumerate(order.tolist())
    ]
    batch = decode_batch(*payload_matrix(payloads), keys, order)
    one = value(run([sealed(BatteryMonitor, plain)]).tables[BatteryMonitor].columns["battery_voltage"], 0)
    assert batch.tables[BatteryMonitor].columns["battery_voltage"].values.tolist() == [one] * 150


def test_columns_are_as_narrow_as_their_rows() -> None:
    kinds = {row.name: value_type(row) for row in BatteryMonitor.rows}
    assert kinds["aux_mode"] == np.uint8
    assert kinds["alarm_reason"] == np.uint16
    assert kinds["battery_voltage"] == np.float64
    assert {row.name: value_type(row) for row in SmartLithium.rows}["battery_temperature"] == np.int8


def test_more_records_than_are_evaluated_at_once() -> None:
    plain = [number.to_bytes(2, "little") + bytes(13) for number in range(20000)]
    batch = run([sealed(BatteryMonitor, body, nonce=number) for number, body in enumerate(plain)])
    assert batch.tables[BatteryMonitor].columns["time_to_go"].values.tolist() == list(range(20000))


@pytest.mark.parametrize("length", [1, 14, 16, 17, 20, 33])
def test_a_layout_nobody_has_published_keeps_every_byte_that_was_sent_and_no_other(length: int) -> None:
    """Also beyond one block of the cipher: the batch decoder, the single one, the receiver's and the explanation."""
    plain = bytes(range(1, length + 1))
    payload = sealed(SmartBms, plain)
    column = run([payload, sealed(SmartBms, plain[:1])]).tables[SmartBms].columns["raw"]
    assert [values[valid].tobytes() for values, valid in zip(column.values, column.valid, strict=True)] == [
        plain,
        plain[:1],
    ]
    assert decode_advertisement(payload, KEY) == SmartBms(plain)
    assert open_advertisement(parse_advertisement(payload), KEY) == SmartBms(plain)
    assert open_at_once(payload, Key(KEY)) == (5, int.from_bytes(plain, "little"))
    opened = open_one(Frame(0.0, "test", "advertisement", "AA:BB:CC:DD:EE:FF", payload), KeyRing(loose=[KEY]))
    assert opened.plain == plain
