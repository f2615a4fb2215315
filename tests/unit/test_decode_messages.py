"""`bluewatt decode HEX` of messages: what bytes say that are no advertisement, and what is guessed of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bluewatt.cli import main
from bluewatt.tables.gatt import PIN_CODE
from bluewatt.wire.instant_readout.cipher import Key
from bluewatt.wire.text_logs.words import full_uuid
from bluewatt.wire.vesmart.broadcast import (
    BroadcastContent,
    BroadcastValue,
    Network,
    build_broadcast,
    build_content,
    seal,
)

Captured = pytest.CaptureFixture[str]

SAID = {
    "a value": (["080319ed8d422f05"], "battery voltage 13.27 V (register 0xED8D, instance 3), value from the device"),
    "with spaces": (["08 03 19 ed 8d 42 2f 05"], "battery voltage 13.27 V (register 0xED8D, instance 3)"),
    "unquoted": (["08", "03", "19", "ed", "8d", "42", "2f", "05"], "battery voltage 13.27 V (register 0xED8D"),
    "a question": (["05038119ed8d"], "asks instance 3 for battery_voltage, from the client"),
    "a write": (["0600821893421027"], "10.000 s (register 0x0093, instance 0), written by the client"),
    "a refusal": (["0900189301"], "unknown register, instance 0, from the device"),
    "control, of the client": (["fa80ff"], "can take 128 messages, of up to 255 bytes, from the client"),
    "control, of the device": (["f901"], "lets the other side send 1 more, from the device"),
    "two in a row": (["07000300", "080319ed8d422f05"], "battery voltage 13.27 V"),
    "two chunks": (["0803 19ed", "8d422f05"], "battery voltage 13.27 V (register 0xED8D, instance 3)"),
    "a chunk that begins as an advertisement does": (["060082189342", "102703010303"], "subscribes to instance 3"),
    "a chunk from the middle": (["8119ec0e05008119010c05008118"], "asks instance 0 for custom_name, from the client"),
    "a line of a log": (
        ["I 11:22:33.123 Notification received from 306b0003-b081-4037-83dc-e59fcc3cdfd0, value: (0x) "
         "08-03-19-ED-8D-42-2F-05"], "battery voltage 13.27 V (register 0xED8D, instance 3), value from the device",
    ),
    "an unknown register": (["080319123442ffff"], "0x1234 ff ff (register 0x1234, instance 3), value from the device"),
}  # fmt: skip


@pytest.mark.parametrize(("texts", "said"), SAID.values(), ids=SAID)
def test_bytes_say_what_they_are(texts: list[str], said: str, capfd: Captured) -> None:
    assert main(["decode", *texts]) == 0
    shown = capfd.readouterr()
    assert said in shown.out
    assert "guessed" in shown.err


def test_a_message_is_the_same_object_as_in_a_capture(capfd: Captured) -> None:
    assert main(["decode", "--json", "07000300", "080319ed8d422f05"]) == 0
    first, second = map(json.loads, capfd.readouterr().out.splitlines())
    assert (first["message"], first["result"], first["direction"]) == ("response", "ok", "device")
    assert (second["message"], second["direction"]) == ("value", "device")
    assert (second["key"], second["value"], second["instance"], second["raw"]) == ("battery_voltage", 13.27, 3, "2f05")
    assert not second["at"].startswith("1970")


NAMED = {
    "the documented service": ("6597ed8d-4bda-4c1e-af4b-551c4cf74769", "2f05", "battery voltage 13.27 V"),
    "its first group": ("6597ED8D", "2f05", "battery voltage 13.27 V"),
    "the header of the control characteristic": ("306b0002", "00040001de4a00", "messages of up to 222 bytes"),
    "the end of a message": ("306b0003", "080319ed8d422f05", "battery voltage 13.27 V"),
    "the name of a device": ("2a00", "416674", "'Aft'"),
    "what begins as an advertisement does": ("306b0003", "100289a302b040af", "NOT DECODED"),
}


@pytest.mark.parametrize(("uuid", "text", "said"), NAMED.values(), ids=NAMED)
def test_a_named_characteristic_tells_what_bytes_are(uuid: str, text: str, said: str, capfd: Captured) -> None:
    main(["decode", text, "--characteristic", uuid])
    shown = capfd.readouterr()
    assert said in shown.out
    assert "on which characteristic" not in shown.err


@pytest.mark.parametrize(
    "arguments", [["2f05", "--characteristic", "battery"], ["talk.btsnoop", "--characteristic", "306b0002"]]
)
def test_a_characteristic_that_is_none_or_would_be_ignored_is_a_wrong_command_line(
    arguments: list[str], capfd: Captured
) -> None:
    assert main(["decode", *arguments]) == 2
    assert "--characteristic" in capfd.readouterr().err


def test_a_message_without_its_end_is_told_as_that(capfd: Captured) -> None:
    assert main(["decode", "080319ed8d422f"]) == 7
    shown = capfd.readouterr()
    assert "NOT DECODED: a string of 2 bytes ends after 1" in shown.out
    assert "13." not in shown.out


def test_a_key_is_shown_to_those_who_ask_only(capfd: Captured) -> None:
    text = "080019ec6550" + "ab" * 16
    for options in ([], ["--json"]):
        assert main(["decode", text, *options]) == 0
        shown = capfd.readouterr()
        assert "advertisement" in shown.out
        assert "abab" not in (shown.out + shown.err).replace(" ", "")
    assert main(["decode", text, "--reveal"]) == 0
    assert "ab" * 16 in capfd.readouterr().out


def test_a_pin_is_hidden(capfd: Captured) -> None:
    main(["decode", "e401be3c933926e240e20100", "--characteristic", PIN_CODE])
    assert "e2 01" not in capfd.readouterr().out


def test_uuids_in_all_their_lengths() -> None:
    assert full_uuid("2A00") == "00002a00-0000-1000-8000-00805f9b34fb"
    assert full_uuid("306B0002") == "306b0002-b081-4037-83dc-e59fcc3cdfd0"
    assert full_uuid("0000180f") == "0000180f-0000-1000-8000-00805f9b34fb"
    assert full_uuid("306B0002B081403783DCE59FCC3CDFD1") == "306b0002-b081-4037-83dc-e59fcc3cdfd1"
    assert [full_uuid(text) for text in ("", "xyz", "306b", "306b000", "306b0002-b081")] == [
        "",
        "",
        full_uuid("306b"),
        "",
        "",
    ]


NETWORK = Network(b"\xbc\x18", Key(bytes(range(16))))


def test_a_real_broadcast_with_its_company_identifier(capfd: Captured) -> None:
    """The first broadcast that was published: of a SmartSolar 150/35 (protocol page vesmart-networking, amendments)."""
    for tail in ("", " 00 11 22 33 44 55 66 77"):
        assert main(["decode", "E1 02 01 BC 18 98 A5 98 B9 F9 01 04 00 00 F8 84 FA 25" + tail]) == 7
        out = capfd.readouterr().out
        assert "VE.Smart networking broadcast, counter record, from HQ????CQVX4" in out
        assert "network bc.., sequence 0x0401F9B9, counter 0, tag f884fa25" in out


@pytest.mark.parametrize("tail", ["", "31 32 33 34 35"])
def test_a_broadcast_of_a_known_network_opens_in_text(
    tail: str, capfd: Captured, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = tmp_path / "keys.toml"
    keys.write_text(f'[networks]\nbc18 = "{bytes(range(16)).hex()}"\n', "utf-8")
    keys.chmod(0o600)
    monkeypatch.setenv("BLUEWATT_KEYS_FILE", str(keys))
    counter = build_broadcast(seal(NETWORK, serial=2560167960, sequence=7, overflow=1))
    plaintext = build_content(BroadcastContent((BroadcastValue(0xED8D, b"\x2f\x05"),)))
    data = build_broadcast(seal(NETWORK, serial=2560167960, sequence=8, overflow=1, plaintext=plaintext))
    assert main(["decode", f"e102{counter.hex()}", f"e102{data.hex()} {tail}".strip()]) == 0
    assert "battery voltage 13.27 V (register 0xED8D), broadcast by HQ????" in capfd.readouterr().out
