"""Conversations in captures: counted again by tshark, fragmented, interleaved, heard by a sniffer, and damaged."""

from __future__ import annotations

import json
import random
import shutil
import struct
import subprocess
from collections import Counter
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESCCM

from bench import talks
from bluewatt.cli import main
from bluewatt.model.dialogue.conversation import CONTROL, DAMAGED, VREG, Line
from bluewatt.model.dialogue.json_objects import LineWriter
from bluewatt.model.dialogue.sentences import sentence
from bluewatt.model.dialogue.transcript import Transcript
from bluewatt.tables.gatt import CHARACTERISTIC_HANDLES, DataCharacteristic
from bluewatt.wire.bluetooth.link_encryption import LinkCipher
from bluewatt.wire.bluetooth.packets import Packet
from bluewatt.wire.containers import PacketKind, read_packets
from bluewatt.wire.victronconnect.grammar import parse_messages
from bluewatt.wire.victronconnect.messages import ValueMessage

CAPTURE = "smartshunt_mtu23_sessions_00-09.btsnoop"
Captured = pytest.CaptureFixture[str]


def transcript(data: bytes, **options: object) -> tuple[Transcript, list[Line]]:
    made = Transcript("capture:test", **options)  # type: ignore[arg-type]
    lines: list[Line] = []
    for packets in read_packets([data]):
        for _, entries in made.feed(packets):
            lines += [entry for entry in entries if isinstance(entry, Line)]
    return made, lines + [entry for entry in made.finish() if isinstance(entry, Line)]


def said(lines: list[Line]) -> list[tuple[str, object]]:
    """What was said, without when and on which connection."""
    return [(str(line.direction), line.content) for line in lines if line.kind in (VREG, CONTROL)]


def by_tshark(path: Path) -> Counter[str]:
    """Messages of the device by opcode, put together from the ATT values tshark prints."""
    fields = ["btatt.opcode", "btatt.handle", "btatt.value", "bthci_acl.chandle"]
    command = ["tshark", "-r", str(path), "-Y", "btatt.opcode == 0x1b", "-T", "fields"]
    printed = subprocess.run([*command, *(part for field in fields for part in ("-e", field))], capture_output=True)
    handles = CHARACTERISTIC_HANDLES["smartshunt"]
    counts: Counter[str] = Counter()
    whole: dict[str, bytes] = {}
    for row in printed.stdout.decode().splitlines():
        _, handle, value, link = row.split("\t")
        place = handles.get(int(handle, 16))
        if place is DataCharacteristic.CONTROL:
            counts["control"] += 1
        elif place:
            whole[link] = whole.get(link, b"") + bytes.fromhex(value)
            if place is DataCharacteristic.LAST:
                counts["whole messages"] += 1
                counts.update(type(message).__name__ for message in parse_messages(whole.pop(link)))
    return counts


@pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")
def test_the_real_capture_counts_as_tshark_counts_it(shared: Path) -> None:
    path = shared / "captures" / CAPTURE
    made, lines = transcript(path.read_bytes())
    device = [line for line in lines if line.direction is not None and line.direction.value == "device"]
    ours = Counter(type(line.content).__name__ for line in device if line.kind == VREG)
    ours["control"] = sum(line.kind == CONTROL for line in device)
    ours["whole messages"] = len({(line.link, line.offset) for line in device if line.kind == VREG})
    assert ours == by_tshark(path)
    assert ours == {
        **{"ValueMessage": 1483, "ValueResponse": 56, "Response": 24, "DeviceList": 8},
        **{"control": 48, "whole messages": 1544},
    }
    assert not [line for line in device if line.kind == DAMAGED]
    assert made.problems == []


def test_the_real_capture_leaves_over_what_its_script_cut_and_nothing_else(shared: Path) -> None:
    _, lines = transcript((shared / "captures" / CAPTURE).read_bytes())
    damaged = [line for line in lines if line.kind == DAMAGED]
    assert Counter((line.message, str(line.direction)) for line in damaged) == {
        ("ProtocolError", "Role.CLIENT"): 9,
        ("Unfinished", "Role.CLIENT"): 9,
    }
    assert {line.device.address for line in lines} == {"FD:D4:50:0F:6C:1B"}
    assert {line.device.product_id for line in lines} == {0xA389}
    assert lines[-1].device.name == "SmartShunt HQ20234NXYN"


def test_the_real_capture_as_json_lines(shared: Path, capfd: Captured) -> None:
    assert main(["decode", "--json", str(shared / "captures" / CAPTURE)]) == 0
    lines = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    values = [line for line in lines if line["kind"] == "vreg" and line["message"] == "value"]
    assert len(values) == 1483
    assert {line["direction"] for line in values} == {"device"}
    current = next(line for line in values if line["register"] == "0xED8C")
    expected = {"instance": 3, "key": "battery_current", "value": -0.87, "unit": "A", "raw": "9afcffff"}
    assert {name: current[name] for name in expected} == expected
    assert [line["number"] for line in lines if "number" in line] == list(range(1, len(lines) - 46 + 1))


@pytest.mark.parametrize("mtu", [23, 77, 247])
@pytest.mark.parametrize("fragment", [11, 27, 1021])
def test_any_mtu_and_any_fragments_say_the_same(mtu: int, fragment: int) -> None:
    _, plain = transcript(talks.btsnoop(list(talks.packets(mtu=mtu))))
    made, lines = transcript(talks.btsnoop(list(talks.packets(mtu=mtu, fragment=fragment))))
    assert made.problems == []
    assert said(lines) == said(plain)
    assert not [line for line in lines if line.kind == DAMAGED]
    values = {line.content.register: line.content.value for line in lines if isinstance(line.content, ValueMessage)}
    assert values[0x010C] == b"Bow battery"
    assert values[0x104F] == bytes(range(34))


def test_several_connections_at_once_are_kept_apart() -> None:
    talked = [list(talks.packets(handle, mtu=mtu)) for handle, mtu in ((0x40, 23), (0x41, 77), (0x42, 247))]
    chance, mixed = random.Random(5), []
    while any(talked):
        mixed.append(chance.choice([rows for rows in talked if rows]).pop(0))
    made, lines = transcript(talks.btsnoop(mixed))
    assert made.problems == []
    _, alone = transcript(talks.btsnoop(list(talks.packets())))
    expected = {content for _, content in said(alone) if isinstance(content, ValueMessage)}
    for link in {line.link for line in lines}:
        own = [line for line in lines if line.link == link]
        assert {content for _, content in said(own) if isinstance(content, ValueMessage)} == expected
    assert len({line.link for line in lines}) == 3


def test_without_discovery_the_first_word_of_the_client_betrays_the_handles() -> None:
    _, lines = transcript(talks.btsnoop(list(talks.packets(discovery=False))))
    _, discovered = transcript(talks.btsnoop(list(talks.packets())))
    assert said(lines) == said(discovered)


def test_a_capture_that_begins_in_the_middle_is_read_by_the_known_layout(shared: Path) -> None:
    whole = (shared / "captures" / CAPTURE).read_bytes()
    position, records = 16, []
    while position < len(whole):
        length = struct.unpack_from(">I", whole, position + 4)[0]
        records.append(whole[position : position + 24 + length])
        position += 24 + length
    begun = next(i for i, record in enumerate(records) if record[24:27] == b"\x02\x40\x20" and record[33:34] == b"\x1b")
    _, lines = transcript(whole[:16] + b"".join(records[begun + 40 :]))
    counts = Counter(type(line.content).__name__ for line in lines if line.kind == VREG)
    assert counts["ValueMessage"] > 1400


def test_a_key_in_the_capture_opens_the_advertisements_behind_it_and_is_hidden(
    tmp_path: Path, capfd: Captured
) -> None:  # fmt: skip
    from bluewatt import build_advertisement
    from bluewatt.tables.records.battery_monitor import BatteryMonitor

    rows = list(talks.packets())
    for nonce in range(30):
        record = BatteryMonitor(battery_voltage=12.5 + nonce / 100, state_of_charge=88.0, battery_current=1.0)
        payload = build_advertisement(record, product_id=0xA389, key=talks.KEY, nonce=nonce)
        data = b"\x02\x01\x06" + bytes([len(payload) + 3, 0xFF]) + b"\xe1\x02" + payload
        report = b"\x02\x01\x00\x01\x55\x44\x33\x22\x11\xc0" + bytes([len(data)]) + data + b"\xc4"
        rows.append((1, b"\x04\x3e" + bytes([len(report)]) + report))
    path = tmp_path / "keyed.btsnoop"
    path.write_bytes(talks.btsnoop(rows))
    assert main(["decode", "--json", str(path)]) == 0
    shown = capfd.readouterr()
    lines = [json.loads(line) for line in shown.out.splitlines()]
    read = [line["values"]["battery_voltage"] for line in lines if line["kind"] == "advertisement"]
    assert len(read) == 30
    assert read[0] == 12.5
    assert talks.KEY.hex() not in shown.out + shown.err
    hidden = next(line for line in lines if line.get("register") == "0xEC65")
    assert (hidden["raw"], hidden["value"]) == ("hidden", "hidden")
    for form in ("table", "csv"):
        assert main(["decode", str(path), "--format", form]) == 0
        assert talks.KEY.hex() not in capfd.readouterr().out
    assert main(["decode", "--json", "--reveal", str(path)]) == 0
    assert talks.KEY.hex() in capfd.readouterr().out


def pdu(link_layer_id: int, sequence: int, payload: bytes) -> bytes:
    return bytes([link_layer_id | sequence << 3, len(payload)]) + payload


def on_air(making: object, *, central: bool, body: bytes) -> bytes:
    """A data packet as LINKTYPE 256 writes it."""
    flags = 0x0001 | 0x0010 | (2 if central else 3) << 7 | 0x0400 | 0x0800
    return struct.pack("<BbbBIH", 10, -50, -100, 0, 0x50655DAB, flags) + struct.pack("<I", 0x50655DAB) + body + bytes(3)


def sniffed(*, direction: bool = True, encrypted: bool = False) -> list[tuple[float, bytes]]:
    """The same talk as a sniffer hears it, every third packet sent twice."""
    request = b"\x66\x55\x44\x33\x22\xc6" + b"\x55\x44\x33\x22\x11\xc0" + struct.pack("<I", 0x50655DAB) + bytes(18)
    head = struct.pack("<BbbBIH", 37, -50, -100, 0, 0x8E89BED6, 0x0C13)
    found = [(1.0, head + struct.pack("<I", 0x8E89BED6) + bytes([0x05 | 0xC0, len(request)]) + request + bytes(3))]
    sequence = [0, 0]
    for number, spoken in enumerate(talks.talk(mtu=77)):
        if encrypted and number == 20:
            found.append((2.0, on_air(None, central=False, body=pdu(3, sequence[1], b"\x05"))))
        whole = struct.pack("<HH", len(spoken.data), 4) + spoken.data
        for at in range(0, len(whole), 27):
            body = pdu(1 if at else 2, sequence[spoken.side], whole[at : at + 27])
            sequence[spoken.side] ^= 1
            row = on_air(None, central=spoken.side == talks.CLIENT, body=body)
            if not direction:
                row = row[:8] + struct.pack("<H", 0x0C11) + row[10:]
            found += [(1.0 + number / 100, row)] * (2 if number % 3 == 0 else 1)
    return found


def lines_on_air(rows: list[tuple[float, bytes]], **options: object) -> tuple[Transcript, list[Line]]:
    made, lines = Transcript("capture:air", **options), []  # type: ignore[arg-type]
    packets: list[Packet] = [(at, PacketKind.AIR_WITH_HEADER, None, data, 0, 0) for at, data in rows]
    for _, entries in made.feed(packets):
        lines += [entry for entry in entries if isinstance(entry, Line)]
    return made, lines


@pytest.mark.parametrize("direction", [True, False])
def test_a_plain_connection_on_air_says_the_same(direction: bool) -> None:
    made, lines = lines_on_air(sniffed(direction=direction))
    _, expected = transcript(talks.btsnoop(list(talks.packets(mtu=77))))
    assert made.problems == []
    assert said(lines) == said(expected)
    assert lines[0].device.address == "C0:11:22:33:44:55"


def test_an_encrypted_connection_on_air_says_so() -> None:
    made, lines = lines_on_air(sniffed(encrypted=True))
    assert [sentence(line) for line in lines if line.message == "encrypted"] == [
        "encrypted from here on: a sniffer cannot read it without its key (--ltk)"
    ]
    assert made.unreadable > 20
    assert not any(isinstance(line.content, ValueMessage) for line in lines)


LTK = bytes(range(0x30, 0x40))
REQUEST, ANSWER = bytes(range(1, 23)), bytes(range(101, 113))


def encrypted_rows(lost: int = 0) -> list[tuple[float, bytes]]:
    """The talk as a sniffer hears it when both sides encrypt, by the cipher of the library alone."""
    halves = (REQUEST[10:18] + ANSWER[:8])[::-1]
    session = Cipher(algorithms.AES(LTK), modes.ECB()).encryptor().update(halves)
    cipher, start = AESCCM(session, tag_length=4), REQUEST[18:22] + ANSWER[8:12]
    rows = sniffed(encrypted=True)[:1]
    for central, body in ((True, b"\x03" + REQUEST), (False, b"\x04" + ANSWER), (False, b"\x05")):
        rows.append((1.5, on_air(None, central=central, body=pdu(3, 0, body))))
    counters, sequence = [0, 0], [1, 1]

    def seal(side: int, kind: int, plain: bytes) -> None:
        nonce = bytearray(counters[side].to_bytes(5, "little"))
        nonce[4] |= 0x80 if side == talks.CLIENT else 0
        sealed = cipher.encrypt(bytes(nonce) + start, plain, bytes([kind]))
        counters[side] += 1
        sequence[side] ^= 1
        rows.append((2.0, on_air(None, central=side == talks.CLIENT, body=pdu(kind, sequence[side], sealed))))

    seal(talks.CLIENT, 3, b"\x06")
    seal(talks.DEVICE, 3, b"\x06")
    counters[talks.DEVICE] += lost
    for spoken in talks.talk(mtu=77):
        whole = struct.pack("<HH", len(spoken.data), 4) + spoken.data
        for at in range(0, len(whole), 27):
            seal(spoken.side, 1 if at else 2, whole[at : at + 27])
    return rows


@pytest.mark.parametrize("key", [LTK, LTK[::-1]])
def test_an_encrypted_connection_opens_with_its_key(key: bytes) -> None:
    made, lines = lines_on_air(encrypted_rows(lost=3), long_term_keys=[bytes(16), key])
    _, expected = transcript(talks.btsnoop(list(talks.packets(mtu=77))))
    assert said(lines) == said(expected)
    assert made.unreadable == 0


def test_a_wrong_key_opens_nothing() -> None:
    made, lines = lines_on_air(encrypted_rows(), long_term_keys=[bytes(16)])
    assert said(lines) == []
    assert made.unreadable > 60


def test_the_sample_data_of_the_standard_opens() -> None:
    """Bluetooth Core, volume 6, part C, section 1: both sides confirm encryption."""
    request = bytes.fromhex("9078563412efcdab 7424 1302f1e0dfcebdac 24abdcba")
    cipher = LinkCipher(
        bytes.fromhex("4c68384139f574d836bcf34e9dfb01bf"), request, bytes.fromhex("7968574635241302 bebaafde")
    )
    assert cipher.open(0x0F, bytes.fromhex("9fcda7f448"), from_central=True) == b"\x06"
    assert cipher.open(0x07, bytes.fromhex("a34c13a415"), from_central=False) == b"\x06"


@pytest.mark.parametrize("which", [0, 1, 2, 3])
def test_a_lost_packet_costs_one_message_and_says_what_was_lost(which: int) -> None:
    rows = list(talks.packets())
    bulk = [i for i, (_, row) in enumerate(rows) if row[9:10] == b"\x1b" and row[10:12] == b"\x37\x00"][which]
    _, whole = transcript(talks.btsnoop(rows))
    _, lines = transcript(talks.btsnoop(rows[:bulk] + rows[bulk + 1 :]))
    damaged = [line for line in lines if line.kind == DAMAGED or line.message == "unknown"]
    assert len(damaged) == 1
    lost = len([1 for line in whole if line.kind == VREG]) - len([1 for line in lines if line.kind == VREG])
    assert 0 < lost <= 5
    assert json.loads(LineWriter("x").line(damaged[0]))["raw"] == "hidden", "the key may be in it"
    shown = json.loads(LineWriter("x", reveal=True).line(damaged[0]))["raw"]
    assert len(bytes.fromhex(shown)) > 20


def test_packets_that_lie_are_told_with_their_offset_and_the_rest_is_read() -> None:
    rows = list(talks.packets())
    position = next(i for i, (_, row) in enumerate(rows) if row[:1] == b"\x02") + 40
    lying = b"\x02\x40\x20\xff\x00" + bytes(9)
    orphan = b"\x02\x40\x10\x03\x00abc"
    made, lines = transcript(talks.btsnoop([*rows[:position], (1, lying), (1, orphan), *rows[position:]]))
    assert len(made.problems) == 2
    assert all(problem.offset > 0 for problem in made.problems)
    _, expected = transcript(talks.btsnoop(rows))
    assert said(lines) == said(expected)


def test_time_that_goes_backwards_is_said(tmp_path: Path, capfd: Captured) -> None:
    path = tmp_path / "back.btsnoop"
    rows = list(talks.packets())
    path.write_bytes(talks.btsnoop(rows, step=-0.01))
    assert main(["decode", str(path)]) == 0
    first = len(talks.connected(0x40)) + 24 + 16
    assert f"backwards {len(rows) - 1} times, first at byte {first}:" in capfd.readouterr().err


def test_lines_are_written_the_same_whether_kept_or_not() -> None:
    _, lines = transcript(talks.btsnoop(list(talks.packets())))
    once = LineWriter("capture:x")
    assert [once.line(line) for line in lines] == [LineWriter("capture:x").line(line) for line in lines]
    assert all(json.loads(once.line(line))["source"] == "capture:x" for line in lines)
