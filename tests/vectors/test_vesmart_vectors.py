"""Every vector of VE.Smart networking is heard as expected and built back to the same bytes.

The packets were made from the protocol page with invented keys; only the serial numbers come from real devices.
"""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest

from bluewatt.errors import KeyProblem
from bluewatt.model.vesmart import explain_shared
from bluewatt.wire.vesmart.broadcast import (
    BroadcastValue,
    Network,
    build_broadcast,
    build_content,
    parse_broadcast,
    parse_content,
    seal,
    serial_number,
    serial_text,
    unseal,
)
from bluewatt.wire.vesmart.network import ContentHeard, NetworkEvent, NetworkReceiver, OverflowHeard

COMPOUND = (0x0100,)
"""Registers with fields of their own, of which the vectors give one in words."""

COUNT_NAMES = ("foreign", "authentication_failures", "malformed")


@pytest.fixture(scope="module")
def cases(shared: Path) -> list[dict[str, Any]]:
    document = json.loads((shared / "vectors" / "vesmart_networking.json").read_text())
    assert len(document["cases"]) == document["count"] > 0
    return list(document["cases"])


def of_kind(cases: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    chosen = [case for case in cases if case["kind"] == kind]
    assert chosen, f"no vector of kind {kind}"
    return chosen


def payloads(case: dict[str, Any]) -> list[bytes]:
    data = [bytes.fromhex(text) for text in case["manufacturer_data_hex"]]
    assert all(packet[:2] == b"\xe1\x02" for packet in data)
    return [packet[2:] for packet in data]


def network(case: dict[str, Any]) -> Network:
    return Network.of(case["network_id_hex"], case["network_key_hex"])


def hear(case: dict[str, Any]) -> tuple[NetworkReceiver, list[NetworkEvent]]:
    receiver = NetworkReceiver([network(case)])
    heard: list[NetworkEvent] = []
    for payload in payloads(case):
        with contextlib.suppress(KeyProblem):
            heard += receiver.receive(payload)
    return receiver, heard


def as_vector(value: BroadcastValue) -> dict[str, Any]:
    number = {"raw_unsigned": int.from_bytes(value.raw, "little")} if len(value.raw) in (1, 2, 4) else {}
    return {"register": f"{value.register:04X}", "length": len(value.raw), "raw_hex": value.raw.hex(), **number}


def test_the_registers_heard_are_those_expected(cases: list[dict[str, Any]], subtests: pytest.Subtests) -> None:
    for case in of_kind(cases, "advertisements"):
        with subtests.test(case["id"]):
            _, heard = hear(case)
            contents = [event for event in heard if isinstance(event, ContentHeard)]
            found = [
                as_vector(value) | {"serial_suffix": serial_text(event.serial)[-5:]}
                for event in contents
                for value in event.content.records
            ]
            expected = case["expect"].get("records", [])
            assert len(found) == len(expected)
            for ours, theirs in zip(found, expected, strict=True):
                compared = ours.keys() & theirs.keys()
                assert {key: ours[key] for key in compared} == {key: theirs[key] for key in compared}
            if "unparsed_hex" in case["expect"]:
                (event,) = contents
                assert not event.content.understood
                assert build_content(event.content).hex() == case["expect"]["unparsed_hex"]


def in_words(value: BroadcastValue) -> tuple[Any, str | None]:
    """The value and unit by the register table; (None, None) for a register nobody has listed."""
    told = explain_shared(value.register, value.raw)
    assert told.raw == value.raw
    return told.value, told.unit or None


def test_the_register_table_gives_the_values(cases: list[dict[str, Any]], subtests: pytest.Subtests) -> None:
    for case in of_kind(cases, "advertisements"):
        with subtests.test(case["id"]):
            _, heard = hear(case)
            found = [value for event in heard if isinstance(event, ContentHeard) for value in event.content.records]
            for value, expected in zip(found, case["expect"].get("records", []), strict=True):
                if value.register not in COMPOUND:
                    assert in_words(value) == (expected["value"], expected["unit"])


def test_the_product_of_the_sender_is_named(cases: list[dict[str, Any]]) -> None:
    (case,) = (case for case in cases if case["id"] == "vs-0100")
    (event,) = (event for event in hear(case)[1] if isinstance(event, ContentHeard))
    value, _ = in_words(event.content.records[0])
    assert f"{value['product_id']:04X}" == case["expect"]["records"][0]["value"]


def test_what_failed_is_counted_under_its_heading(cases: list[dict[str, Any]], subtests: pytest.Subtests) -> None:
    for case in of_kind(cases, "advertisements"):
        with subtests.test(case["id"]):
            receiver, _ = hear(case)
            counts = {name: getattr(receiver.counts, name) for name in COUNT_NAMES}
            assert counts == {name: int(case["expect"].get(name, 0)) for name in COUNT_NAMES}


def test_overflow_events_are_reported(cases: list[dict[str, Any]]) -> None:
    (case,) = (case for case in cases if "events" in case["expect"])
    _, heard = hear(case)
    (event,), (expected,) = heard, case["expect"]["events"]
    assert isinstance(event, OverflowHeard)
    assert serial_text(event.serial) == expected["serial"]
    assert event.overflow.to_bytes(2, "little").hex() == expected["overflow_hex"]


def test_every_packet_is_built_back(cases: list[dict[str, Any]], subtests: pytest.Subtests) -> None:
    sealed_again = 0
    for case in of_kind(cases, "advertisements"):
        ours, overflows = network(case), dict[int, int]()
        for payload in payloads(case):
            with subtests.test(f"{case['id']} {payload.hex()}"):
                packet = parse_broadcast(payload)
                assert build_broadcast(packet) == payload
                if packet.overflow is not None:
                    overflows[packet.serial] = packet.overflow
                overflow = overflows[packet.serial]
                with contextlib.suppress(KeyProblem):
                    opened = unseal(packet, ours, overflow)
                    plaintext = build_content(parse_content(opened)) if opened else b""
                    again = seal(
                        ours, serial=packet.serial, sequence=packet.sequence, overflow=overflow, plaintext=plaintext
                    )
                    assert build_broadcast(again) == payload
                    sealed_again += 1
    packets = sum(len(payloads(case)) for case in of_kind(cases, "advertisements"))
    assert sealed_again == packets - 2, "all but the foreign packet and the one with the broken tag"


def test_hearing_twice_delivers_once(cases: list[dict[str, Any]], subtests: pytest.Subtests) -> None:
    for case in of_kind(cases, "advertisements"):
        with subtests.test(case["id"]):
            _, once = hear(case)
            doubled = case | {"manufacturer_data_hex": [x for x in case["manufacturer_data_hex"] for _ in range(2)]}
            _, twice = hear(doubled)
            assert twice == once


def test_serial_numbers_are_printed(cases: list[dict[str, Any]]) -> None:
    for case in of_kind(cases, "serial"):
        number = int.from_bytes(bytes.fromhex(case["serial_hex"]), "little")
        expected = case["expect"]
        assert number == expected["number"]
        assert serial_text(number, date="yyww") == expected["topic_name"]
        assert serial_text(number, date="") == expected["prefix"] + expected["suffix"]


def test_serial_numbers_are_read(cases: list[dict[str, Any]]) -> None:
    for case in of_kind(cases, "serial_encode"):
        number = serial_number(case["serial"])
        assert number == case["expect"]["number"]
        assert number.to_bytes(4, "little").hex() == case["expect"]["serial_hex"]


def test_the_topic_of_a_record_follows_from_serial_and_register(cases: list[dict[str, Any]]) -> None:
    for case in of_kind(cases, "seed_topic"):
        serial = int.from_bytes(bytes.fromhex(case["record"]["serial_hex"]), "little")
        topic = f"venetworking/{serial_text(serial, date='yyww')}/{case['record']['register']:04X}"
        assert topic == case["expect"]["topic"]
