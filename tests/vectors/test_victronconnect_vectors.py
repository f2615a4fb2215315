"""Every vector of VictronConnect's protocol reads to what it says and builds back to the same bytes."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bluewatt.errors import Malformed
from bluewatt.tables.gatt import DEVICE_INFORMATION, PUK_CODE, DataCharacteristic
from bluewatt.wire.victronconnect import control, device_information, grammar
from bluewatt.wire.victronconnect import messages as vreg
from bluewatt.wire.victronconnect.reassembly import Inbox, cut

Vector = dict[str, Any]
BY_SHORT_NAME = {member.value[:8]: member for member in DataCharacteristic}


@pytest.fixture(scope="module")
def vectors(shared: Path) -> list[Vector]:
    rows = json.loads((shared / "vectors" / "victronconnect_frames.json").read_text())
    assert len(rows) >= 184
    return list(rows)


def of_kind(vectors: list[Vector], *, is_messages: bool) -> list[Vector]:
    return [vector for vector in vectors if isinstance(vector["decoded"], list) == is_messages]


def number(text: str | int) -> int:
    return text if isinstance(text, int) else int(text, 16)


EXPECT: dict[int, Callable[[dict[str, Any]], vreg.Message]] = {
    1: lambda _: vreg.GetDevices(),
    2: lambda m: vreg.DeviceList(tuple((instance, kind) for instance, kind in m["pairs"])),
    3: lambda m: vreg.Subscribe(m["instance"]),
    5: lambda m: vreg.GetValues(m["instance"], tuple(map(number, m["registers"]))),
    6: lambda m: vreg.SetValues(
        m["instance"], tuple((number(w["register"]), bytes.fromhex(w["value"])) for w in m["writes"])
    ),
    7: lambda m: vreg.Response(m["item"], m["request_opcode"], m["code"]),
    8: lambda m: vreg.ValueMessage(m["instance"], number(m["register"]), bytes.fromhex(m["value"])),
    9: lambda m: vreg.ValueResponse(m["instance"], number(m["register"]), m["code"]),
}


def without_dialect(message: vreg.Message) -> vreg.Message:
    """The same message in the definite dialect: the vectors' decoded side does not tell the dialect."""
    if isinstance(message, vreg.GetValues | vreg.SetValues):
        return msgspec.structs.replace(message, indefinite=False)
    return message


def test_each_message_vector_reads_to_what_it_says(vectors: list[Vector]) -> None:
    seen: Counter[int] = Counter()
    for vector in of_kind(vectors, is_messages=True):
        messages = grammar.parse_messages(bytes.fromhex(vector["hex"]))
        expected = [EXPECT[decoded["opcode"]](decoded) for decoded in vector["decoded"]]
        assert [without_dialect(message) for message in messages] == expected, vector["id"]
        assert [message.opcode for message in messages] == [decoded["opcode"] for decoded in vector["decoded"]]
        seen.update(message.opcode for message in messages)
    assert seen == {1: 1, 2: 1, 3: 5, 5: 452, 6: 65, 7: 4, 8: 110, 9: 19}


def test_each_message_vector_builds_back_to_its_bytes(vectors: list[Vector]) -> None:
    rows = of_kind(vectors, is_messages=True)
    for vector in rows:
        raw = bytes.fromhex(vector["hex"])
        assert b"".join(map(grammar.build_message, grammar.parse_messages(raw))) == raw, vector["id"]
    assert len(rows) == 175


def test_chunked_vectors_are_put_together_and_cut_alike(vectors: list[Vector]) -> None:
    rows = [vector for vector in of_kind(vectors, is_messages=True) if "chunks" in vector]
    assert rows
    for vector in rows:
        inbox = Inbox()
        chunks = [(BY_SHORT_NAME[c["characteristic"]], bytes.fromhex(c["hex"])) for c in vector["chunks"]]
        received = [inbox.receive(characteristic, data) for characteristic, data in chunks]
        assert received[:-1] == [None] * (len(chunks) - 1), vector["id"]
        assert received[-1] == grammar.parse_messages(bytes.fromhex(vector["hex"])), vector["id"]
        if len(chunks) > 1:
            again = [(w.characteristic, w.data) for w in cut(bytes.fromhex(vector["hex"]), len(chunks[0][1]))]
            assert again == chunks, vector["id"]


def test_a_cut_record_is_malformed_and_waits_for_its_last_chunk(vectors: list[Vector]) -> None:
    incomplete = [v for v in of_kind(vectors, is_messages=False) if "incomplete" in v["decoded"]]
    assert len(incomplete) == 1
    for vector in incomplete:
        raw, decoded = bytes.fromhex(vector["hex"]), vector["decoded"]
        with pytest.raises(Malformed, match=f"{decoded['announced_length']} bytes ends after") as caught:
            grammar.parse_messages(raw)
        assert caught.value.good == ()
        inbox = Inbox()
        for chunk in vector["chunks"]:
            assert inbox.receive(BY_SHORT_NAME[chunk["characteristic"]], bytes.fromhex(chunk["hex"])) is None
        assert inbox.pending == raw
        missing = decoded["announced_length"] - decoded["present_length"]
        value = vreg.ValueMessage(decoded["instance"], number(decoded["register"]), raw[7:] + bytes(missing))
        assert inbox.receive(DataCharacteristic.LAST, bytes(missing)) == [value]


def test_control_frames(vectors: list[Vector]) -> None:
    rows = [v for v in of_kind(vectors, is_messages=False) if v["decoded"].get("control") == "grant_credits"]
    for vector in rows:
        raw = bytes.fromhex(vector["hex"])
        frame = control.parse_control(raw)
        assert frame == control.Grant(vector["decoded"]["messages"]), vector["id"]
        assert control.build_control(frame) == raw
    assert len(rows) == 2


def test_headers(vectors: list[Vector]) -> None:
    rows = [v for v in of_kind(vectors, is_messages=False) if v["decoded"].get("control") == "read_header"]
    for vector in rows:
        raw, decoded = bytes.fromhex(vector["hex"]), vector["decoded"]
        header = control.parse_header(raw)
        assert msgspec.structs.astuple(header) == (
            decoded["flags"],
            decoded["protocol_version"],
            decoded["rx_slots"],
            decoded["max_message_size"],
            decoded["chunk_size"],
        ), vector["id"]
        assert control.build_header(header) == raw
    assert len(rows) == 2


def test_device_information(vectors: list[Vector]) -> None:
    rows = [v for v in vectors if v["characteristic"] == DEVICE_INFORMATION[:8]]
    for vector in rows:
        raw, decoded = bytes.fromhex(vector["hex"]), vector["decoded"]
        information = device_information.parse_device_information(raw)
        assert information == device_information.DeviceInformation(
            bootloader_version=number(decoded["bootloader_version_raw"]),
            firmware_version=number(decoded["ble_firmware_raw"]),
            radio_stack=number(decoded["softdevice_id"]),
            module_product_id=number(decoded["module_product_id"]),
            field_12=decoded["field_12"],
            field_14=number(decoded["field_14"]),
            tail=bytes.fromhex(decoded["tail"]),
        ), vector["id"]
        assert information.firmware == decoded["ble_firmware"]
        assert device_information.build_device_information(information) == raw
    assert len(rows) == 2


def test_nonce_answers(vectors: list[Vector]) -> None:
    rows = [v for v in vectors if v["characteristic"] == PUK_CODE[:8]]
    for vector in rows:
        answer = device_information.puk_answer(bytes.fromhex(vector["hex"]))
        assert answer.hex() == vector["decoded"]["puk_write"], vector["id"]
        assert int.from_bytes(answer, "little") == number(vector["decoded"]["crc32"])
    assert len(rows) == 2


def test_no_vector_is_left_out(vectors: list[Vector]) -> None:
    messages = len(of_kind(vectors, is_messages=True))
    others = Counter(v["decoded"].get("control", v["characteristic"]) for v in of_kind(vectors, is_messages=False))
    assert others == {"grant_credits": 2, "read_header": 2, "97580002": 2, "97580006": 2, "306b0004": 1}
    assert messages + others.total() == len(vectors)
