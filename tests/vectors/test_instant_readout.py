"""Bytes of real devices and of vendor documents judge the rows.

`data/instant_readout.jsonl` holds advertisements and records other people captured or printed, with the source of
each; the larger set of the reference folder is run as well where it is present.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import bluewatt
from bluewatt.errors import KeyMismatch
from bluewatt.schema import Proof
from bluewatt.tables.records import record_class, record_classes
from bluewatt.wire.instant_readout.advertisement import parse_advertisement

OURS = Path(__file__).parent / "data" / "instant_readout.jsonl"
VECTORS: list[dict[str, Any]] = [json.loads(line) for line in OURS.read_text("utf-8").splitlines()]


def _from_reference(shared: Path) -> list[dict[str, Any]]:
    names = {"data": "manufacturer_data_hex", "plain": "plaintext_hex"}
    vectors = json.loads((shared / "vectors" / "instant_readout.json").read_text("utf-8"))["vectors"]
    return [vector | {ours: vector[theirs] for ours, theirs in names.items()} for vector in vectors]


def check_record(vector: dict[str, Any]) -> None:
    plain = bytes.fromhex(vector["plain"])
    record = bluewatt.decode_record(int(vector["record_type"], 16), plain)
    if vector.get("expected") is not None:
        assert record.as_dict() == vector["expected"]
    again = bluewatt.encode_record(record)
    length = record.length() or len(plain)
    unused = 8 * length - record.bits if record.bits else 0
    spare = ((1 << unused) - 1) << (8 - unused) if unused else 0
    expected = bytearray(plain[:length])
    expected[-1] |= spare  # the authors of two made-up frames left the spare bits 0, which no device does
    assert again == bytes(expected)
    if vector["kind"].startswith("captured"):
        assert again == plain[:length], "a real device's bytes come back to the last bit"


def check_advertisement(vector: dict[str, Any]) -> None:
    data = bytes.fromhex(vector["data"])
    head = parse_advertisement(data)
    assert parse_advertisement(b"\xe1\x02" + data) == head
    if not vector.get("record_type"):
        assert not head.has_record
        return
    assert head.record_type == int(vector["record_type"], 16)
    if vector.get("plain") is None or (head.sealed and not vector.get("key")):
        return
    record = bluewatt.decode_advertisement(data, vector.get("key"))
    assert record.as_dict() == vector["expected"]
    built = bluewatt.build_advertisement(
        record, product_id=head.product_id, key=vector.get("key"), nonce=head.nonce, identifier=head.identifier
    )
    assert built[:-1] == data[: len(built) - 1]
    if head.sealed:
        with pytest.raises(KeyMismatch):
            bluewatt.decode_advertisement(data, bytes([head.key_check ^ 1]) + bytes(15))


@pytest.mark.parametrize("vector", [v for v in VECTORS if "plain" in v], ids=lambda v: v["id"])
def test_record(vector: dict[str, Any]) -> None:
    check_record(vector)


@pytest.mark.parametrize("vector", [v for v in VECTORS if "data" in v], ids=lambda v: v["id"])
def test_advertisement(vector: dict[str, Any]) -> None:
    check_advertisement(vector)


def test_the_larger_set_of_the_reference_folder(shared: Path) -> None:
    vectors = _from_reference(shared)
    for vector in vectors:
        if vector["plain"]:
            check_record(vector)
        if vector["data"]:
            check_advertisement(vector)
    assert len(vectors) >= 87


def test_the_proof_of_every_row_is_true() -> None:
    """A row is "captured" exactly when bytes of a real device gave it a value."""
    seen: set[tuple[int, str]] = set()
    for vector in VECTORS:
        if vector["kind"] in ("captured_encrypted", "captured_pair_no_key", "captured_plaintext"):
            values = vector.get("expected") or {}
            seen |= {(int(vector["record_type"], 16), name) for name, value in values.items() if value is not None}
    for cls in record_classes():
        assert cls.record_type is not None
        for row in cls.rows:
            if row.hidden or row.raw:
                continue
            claimed = (row.proof or cls.proof) is Proof.CAPTURED
            assert claimed == ((cls.record_type, row.name) in seen), f"{cls.record_name}.{row.name}"


def test_every_vector_names_its_source_and_its_record() -> None:
    for vector in VECTORS:
        assert vector["source"]
        assert not vector.get("record_type") or record_class(int(vector["record_type"], 16))
