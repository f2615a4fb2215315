"""The generated dissector in a real tshark: every field it shows against what our own decoder says of the bytes."""

from __future__ import annotations

import random
import re
import struct
import subprocess
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bench import talks
from bluewatt.docgen.wireshark import dissector
from bluewatt.errors import BluewattError
from bluewatt.model.dialogue.conversation import CONTROL, DAMAGED, VREG, Line
from bluewatt.model.dialogue.sentences import values_of
from bluewatt.model.dialogue.transcript import Transcript
from bluewatt.model.register_values import RegisterValue
from bluewatt.schema import Record
from bluewatt.tables.advertisement import PRODUCT_ADVERTISEMENT
from bluewatt.tables.gatt import COMPANY_ID, DataCharacteristic
from bluewatt.tables.products import products
from bluewatt.tables.records import record_classes
from bluewatt.tables.registers import SIZES, registers
from bluewatt.tables.smartshunt import CHARACTERISTICS
from bluewatt.wire.containers import read_packets
from bluewatt.wire.instant_readout.advertisement import decode_advertisement
from bluewatt.wire.instant_readout.cipher import apply
from bluewatt.wire.printable import printable as printable_text
from bluewatt.wire.registers.compounds import Version
from bluewatt.wire.smartshunt import decode_characteristic
from bluewatt.wire.victronconnect import control, grammar
from bluewatt.wire.victronconnect import messages as vreg
from bluewatt.wire.victronconnect.reassembly import cut

CAPTURE = "smartshunt_mtu23_sessions_00-09.btsnoop"
COMPANY = COMPANY_ID.to_bytes(2, "little")
ADDRESS = b"\x55\x44\x33\x22\x11\xc0"
KEY = bytes.fromhex("d7c0ffee0123456789abcdef00112233")
NAMED_KEY = f"C0:11:22:33:44:55={KEY.hex()}"


@dataclass
class Shark:
    """tshark with our dissector and nothing of the user's own."""

    tshark: str
    script: Path
    folder: Path

    def run(self, capture: bytes | Path, *options: str) -> str:
        """What tshark prints; a Lua error anywhere fails the test."""
        path = capture
        if isinstance(capture, bytes):
            path = self.folder / "capture.btsnoop"
            path.write_bytes(capture)
        command = [self.tshark, "-n", "-X", f"lua_script:{self.script}", "-r", str(path), *options]
        environment = {"HOME": str(self.folder), "PATH": "/usr/bin:/bin"}
        done = subprocess.run(command, capture_output=True, text=True, env=environment)
        assert "Lua" not in done.stderr, done.stderr[:2000]
        assert "Lua Error" not in done.stdout, re.findall(r"Lua Error[^\n<]*", done.stdout)[:3]
        assert done.returncode == 0, done.stderr[:2000]
        return done.stdout

    def tree(self, capture: bytes | Path, *options: str) -> list[ET.Element]:
        """Our part of every packet, in order, as elements of Wireshark's packet details."""
        printed = self.run(capture, "-T", "pdml", *options)
        return [ours for packet in ET.fromstring(printed).iter("packet") for ours in packet.iter() if is_root(ours)]


def is_root(element: ET.Element) -> bool:
    return element.get("name") == "victron"


@pytest.fixture
def shark(wireshark: Any, tmp_path: Path) -> Shark:
    script = tmp_path / "bluewatt.lua"
    script.write_text(dissector(), "utf-8")
    return Shark(wireshark.tshark, script, tmp_path)


# reading the details


def leaves(element: ET.Element) -> Iterator[tuple[str, ET.Element]]:
    """The fields below an element, those of single bits aside, in the order shown; names without the prefix."""
    for child in element:
        name = child.get("name", "")
        if name.startswith("victron."):
            if name != "victron.message":
                yield name.removeprefix("victron."), child
        elif not name.startswith("_ws.expert"):
            yield from leaves(child)


def shown(element: ET.Element) -> str:
    return element.get("show", "")


def experts(element: ET.Element) -> set[str]:
    """The last parts of the names of expert informations below."""
    names = (child.get("name", "") for child in element.iter())
    return {name.rpartition(".")[2] for name in names if name.startswith("victron.expert.")}


def agrees(element: ET.Element, expected: Any) -> bool:
    """Whether a field holds a value of ours."""
    text = shown(element)
    if isinstance(expected, bytes):
        return text.replace(":", "") == expected.hex()
    if isinstance(expected, str):
        return printable_text(text) == expected
    if isinstance(expected, int):
        return int(text, 0) == expected if re.fullmatch(r"-?(0x)?[0-9a-f]+", text) else float(text) == expected
    return float(text) == pytest.approx(expected, rel=1e-12)


# advertisements


def btsnoop(payloads: Sequence[bytes]) -> bytes:
    """Manufacturer data of one device as advertising reports, as long as they have to be."""
    return talks.btsnoop([(1, report(payload)) for payload in payloads])


def report(payload: bytes, address: bytes = ADDRESS) -> bytes:
    data = b"\x02\x01\x06" + bytes([len(payload) + 3, 0xFF]) + COMPANY + payload
    body = b"\x02\x01\x00\x01" + address + bytes([len(data)]) + data + b"\xc4"
    return b"\x04\x3e" + bytes([len(body)]) + body


def advertisement(cls: type[Record], plain: bytes, nonce: int) -> bytes:
    kind, check, body = cls.record_type or 0, KEY[0], apply(KEY, nonce, plain)
    if kind > 0xFF:
        kind, check, body = kind >> 8, kind & 0xFF, plain
    return struct.pack("<BBHBHB", PRODUCT_ADVERTISEMENT, 2, 0xA389, kind, nonce, check) + body


def contents(cls: type[Record], chance: random.Random) -> Iterator[bytes]:
    """Records of a class: all absent, all zero, one bit alone, random, cut off, too long."""
    size = cls.length() or 14
    yield from (b"\xff" * size, bytes(size), b"\xff" * 16)
    yield from ((1 << bit).to_bytes(size, "little") for bit in range(8 * size))
    yield from ((~(1 << bit) & (1 << 8 * size) - 1).to_bytes(size, "little") for bit in range(8 * size))
    yield from (chance.randbytes(size) for _ in range(40))
    yield from (chance.randbytes(length) for length in range(1, 17))


EXCEPTIONS = {("solarsense", "error_code"): "error_code_flags"}
"""Rows whose key another record uses for something of another shape."""


def expected_fields(record: Record) -> list[tuple[str, Any]]:
    """Name and value of every row that is there."""
    found = []
    for row in record.rows:
        value = getattr(record, row.name)
        name = "record.raw" if row.raw else EXCEPTIONS.get((record.record_name, row.name), row.name)
        values = value if isinstance(value, tuple) else (value,)
        found += [(name, item) for item in values if item is not None and not row.hidden]
    return found


HEADER = {"manufacturer_record", "identifier", "product_id", "kind", "nonce", "key_check"}


@pytest.mark.parametrize("cls", record_classes(), ids=lambda cls: cls.record_name)
def test_every_row_of_every_record_shows_what_the_decoder_says(cls: type[Record], shark: Shark) -> None:
    chance = random.Random(cls.record_type)
    payloads = [advertisement(cls, plain, chance.randrange(1, 65536)) for plain in contents(cls, chance)]
    roots = shark.tree(btsnoop(payloads), "-o", f"victron.keys:{NAMED_KEY}")
    assert len(roots) == len(payloads)
    for payload, root in zip(payloads, roots, strict=True):
        record = decode_advertisement(payload, KEY)
        expected = expected_fields(record)
        found = [(name, element) for name, element in leaves(root) if name not in HEADER]
        assert [name for name, _ in found] == [name for name, _ in expected], payload.hex()
        for (name, element), (_, value) in zip(found, expected, strict=True):
            assert agrees(element, value), (name, shown(element), value, payload.hex())


def test_the_bits_of_a_mask_are_fields_of_their_own(shark: Shark) -> None:
    from bluewatt.tables.enums import AlarmReason
    from bluewatt.tables.records.battery_monitor import BatteryMonitor

    chance = random.Random(3)
    payloads = [advertisement(BatteryMonitor, chance.randbytes(15), nonce) for nonce in range(1, 60)]
    for payload, root in zip(payloads, shark.tree(btsnoop(payloads), "-o", f"victron.keys:{KEY.hex()}"), strict=True):
        record = decode_advertisement(payload, KEY)
        assert isinstance(record, BatteryMonitor)
        assert isinstance(record.alarm_reason, AlarmReason)
        bits = {child.get("name", "").rpartition(".")[2] for child in root.iter()
                if child.get("name", "").startswith("victron.alarm_reason.")}  # fmt: skip
        assert bits == {AlarmReason.names[bit].key for bit in record.alarm_reason.bits if bit in AlarmReason.names}


def test_header_fields_and_what_opens_nothing(shark: Shark) -> None:
    from bluewatt.tables.records.battery_monitor import BatteryMonitor

    payload = advertisement(BatteryMonitor, bytes(15), 0x1234)
    (opened,) = shark.tree(btsnoop([payload]), "-o", f"victron.keys:{NAMED_KEY}")
    header = {name: int(shown(element), 0) for name, element in leaves(opened) if name in HEADER}
    assert header == {"manufacturer_record": 0x10, "identifier": 2, "product_id": 0xA389, "kind": 2, "nonce": 0x1234,
                      "key_check": KEY[0]}  # fmt: skip
    assert not experts(opened)
    (keyless,) = shark.tree(btsnoop([payload]))
    assert experts(keyless) == {"key_missing"}
    assert dict(leaves(keyless)).keys() == HEADER | {"encrypted"}
    (stale,) = shark.tree(btsnoop([payload]), "-o", f"victron.keys:C0:11:22:33:44:55={bytes(16).hex()}")
    assert experts(stale) == {"key_mismatch"}
    (foreign,) = shark.tree(btsnoop([payload]), "-o", f"victron.keys:C0:11:22:33:44:56={KEY.hex()}")
    assert experts(foreign) == {"key_missing"}


def test_keys_from_the_key_file(shark: Shark) -> None:
    from bluewatt.tables.records.solar_charger import SolarCharger

    capture = btsnoop([advertisement(SolarCharger, bytes(12), 7)])
    texts = {
        "table": f'# ours\n["C0:11:22:33:44:55"]\nname = "Roof"\nkey = "{KEY.hex()}"\n',
        "bare": f'"c0-11-22-33-44-55" = "{KEY.hex().upper()}"\n',
        "inline": f'"C0:11:22:33:44:55" = {{ name = "Roof", key = "{KEY.hex()}" }}\n',
        "networks": f'"C0:11:22:33:44:55" = "{KEY.hex()}"\n[networks."1A2B"]\nkey = "{bytes(16).hex()}"\n'
        f'[networks]\n"1A2C" = "{bytes(16).hex()}"\n',
        "unassigned": f'unassigned = [\n  "{bytes(16).hex()}",\n  "{KEY.hex()}",\n]\n',
        "31 digits": f'"C0:11:22:33:44:55" = "{KEY.hex()[1:]}"\n',
        "31 digits unassigned": f'unassigned = ["{KEY.hex()[1:]}"]\n',
    }
    for name, text in texts.items():
        path = shark.folder / f"{name}.toml"
        path.write_text(text)
        (root,) = shark.tree(capture, "-o", f"victron.key_file:{path}")
        assert "pv_power" in dict(leaves(root)), name
        assert not experts(root), name
    default = shark.folder / ".config" / "bluewatt" / "keys.toml"
    default.parent.mkdir(parents=True)
    default.write_text(texts["table"])
    (root,) = shark.tree(capture)
    assert "pv_power" in dict(leaves(root))


def test_no_key_is_ever_shown(shark: Shark) -> None:
    from bluewatt.tables.records.solar_charger import SolarCharger

    capture = btsnoop([advertisement(SolarCharger, bytes(12), 7)])
    printed = shark.run(capture, "-V", "-o", f"victron.keys:AA:BB={KEY.hex()},{bytes(16).hex()}zz")
    assert KEY.hex() not in printed
    assert "2 of the keys given cannot be read" in printed


@pytest.mark.parametrize(
    ("payload", "expert"),
    [("10", "malformed"), ("1000", "malformed"), ("100289", "malformed"), ("100289a3", None), ("100289a302", None),
     ("100289a302340112", None), ("100289a300000000a5a5a5", None), ("100289a342340112aabb", "undecoded"),
     ("100289a3ff340107aabb", "undecoded"), ("03aabbcc", "undecoded"), ("0141af77d697b4c79dfc00007a63fd6c", None),
     ("0241af77d697b4c79dfc0000aa7a63fd", None), ("0241af77d697", "malformed"), ("01", "malformed"),
     ("0241af77d697b4c79dfc7a63fd6c", "malformed"), ("0141af77d697b4c79dfc0000", "malformed")],
)  # fmt: skip
def test_what_is_no_record_says_so(payload: str, expert: str | None, shark: Shark) -> None:
    (root,) = shark.tree(btsnoop([bytes.fromhex(payload)]))
    assert experts(root) == ({expert} if expert else set())


def test_a_vesmart_broadcast_names_its_parts(shark: Shark) -> None:
    data, counter = shark.tree(
        btsnoop([bytes.fromhex("0241af77d697b4c79dfc112233445566"), bytes.fromhex("0141ec259a99b4c79dfc01007a63fd6c")])
    )
    found = {name: shown(element) for name, element in leaves(data)}
    assert int(found["vesmart.serial"], 0) == 0x97D677AF
    assert found["vesmart.encrypted"].replace(":", "") == "1122"
    assert found["vesmart.tag"].replace(":", "") == "33445566"
    found = {name: shown(element) for name, element in leaves(counter)}
    assert found["vesmart.sender"] == "HQ????MAEI4"
    assert int(found["vesmart.overflow"], 0) == 1
    assert int(found["vesmart.group"], 0) == 0x41


def test_random_manufacturer_data_never_stops_the_dissector(shark: Shark) -> None:
    chance = random.Random(11)
    payloads = [chance.randbytes(chance.randrange(0, 25)) for _ in range(300)]
    payloads += [bytes([chance.choice((0x10, 1, 2))]) + chance.randbytes(chance.randrange(0, 24)) for _ in range(900)]
    payloads += [bytes([0x10, 2, 0x89, 0xA3, chance.choice((*range(17), 255)), 1, 0, KEY[0]])
                 + chance.randbytes(chance.randrange(0, 20)) for _ in range(900)]  # fmt: skip
    capture = btsnoop(payloads)
    for options in ((), ("-V",), ("-2", "-V"), ("-T", "fields", "-e", "victron.battery_voltage")):
        shark.run(capture, "-o", f"victron.keys:{KEY.hex()}", *options)


# conversations


def transcript(data: bytes) -> list[Line]:
    made = Transcript("capture:test")
    lines: list[Any] = []
    for packets in read_packets([data]):
        for _, entries in made.feed(packets):
            lines += entries
    return [line for line in lines + list(made.finish()) if isinstance(line, Line)]


def flat(value: Any) -> Iterator[Any]:
    """The values in a compound register, in order; without the absent ones."""
    if isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from flat(item)
    elif isinstance(value, Version):
        yield str(value)
    elif value is not None and value != b"":
        yield value


def content_fields(value: RegisterValue) -> list[tuple[str | None, Any]]:
    if value.row is None or value.problem:
        return [("raw", value.raw)] if value.raw else []
    return [(None, item) for item in flat(value.value)]


def parameter_fields(line: Line) -> Iterator[tuple[str | None, Any]]:
    """The fields a message must have, in order; no name where it is that of the register."""
    content = line.content
    names = {"opcode", "instance", "item", "request_opcode", "code", "register"}
    yield "opcode", content.opcode
    for name in getattr(content, "__struct_fields__", ()):
        value = getattr(content, name)
        if name in names and name != "opcode":
            yield name, value
    if isinstance(content, vreg.ValueMessage):
        yield from content_fields(values_of(line)[0])
    elif isinstance(content, vreg.SetValues):
        yield "indefinite_array", content.indefinite
        for value in values_of(line):
            yield "register", value.register
            yield from content_fields(value)
    elif isinstance(content, vreg.GetValues | vreg.Subscribe) and content.registers is not None:
        yield "indefinite_array", content.indefinite
        yield from (("register", number) for number in content.registers)
    elif isinstance(content, vreg.DeviceList):
        yield "indefinite_array", content.indefinite
        for instance, kind in content.pairs:
            yield from (("instance", instance), ("device_kind", kind))
    elif isinstance(content, vreg.Unknown):
        yield "raw", content.raw


def assert_beyond_fields(text: str, line: Line) -> None:
    """Integers of eight bytes that no field of 32 bits holds are shown as bytes."""
    raw = bytes.fromhex(text.replace(":", ""))
    assert isinstance(line.content, vreg.ValueMessage)
    assert raw == line.content.value
    assert len(raw) == 8
    assert raw[4:] != bytes(4)


def assert_same_message(element: ET.Element, line: Line) -> None:
    found, expected = list(leaves(element)), list(parameter_fields(line))
    assert len(found) == len(expected), (line, [(name, shown(item)) for name, item in found])
    for (name, item), (wanted, value) in zip(found, expected, strict=True):
        assert wanted in (None, name), (line, name)
        if name == "raw" and wanted is None and not isinstance(value, bytes):
            assert_beyond_fields(shown(item), line)
        elif isinstance(value, bool):
            assert shown(item) in (("1", "True") if value else ("0", "False"))
        else:
            assert agrees(item, value), (line, name, shown(item), value)


CONTROL_FIELDS = {
    control.Grant: lambda frame: {"control": 0xF9, "control.granted": frame.messages},
    control.Limits: lambda frame: {"control": 0xFA, "control.slots": frame.slots,
                                   "control.longest_message": frame.max_message},
    control.Failure: lambda frame: {"control": 0xF7, "control.failure": frame.code},
    control.Drop: lambda frame: {"control": 0xF8},
}  # fmt: skip


def assert_same_control(root: ET.Element, line: Line) -> None:
    frame = line.content
    found = dict(leaves(root))
    if isinstance(frame, control.UnknownControl | control.Header):
        return
    for name, value in CONTROL_FIELDS[type(frame)](frame).items():
        assert value is None or agrees(found[name], value), (line, name)


def is_damaged(root: ET.Element) -> bool:
    texts = [item.get("showname", "") for item in root.iter() if item.get("name") == "victron.expert.malformed"]
    return any(text.find("does not parse") >= 0 or text.find("A message of more than") >= 0 for text in texts)


def compare(capture: bytes, shark: Shark, *options: str) -> tuple[int, int]:
    """Hold what tshark shows against our own transcript; how many messages and control frames there were."""
    lines = [line for line in transcript(capture) if line.direction is not None]
    roots = shark.tree(capture, *options)
    messages = [(root, item) for root in roots for item in root.iter() if item.get("name") == "victron.message"]
    expected = [line for line in lines if line.kind == VREG]
    assert len(messages) == len(expected)
    for (root, element), line in zip(messages, expected, strict=True):
        assert shown(dict(leaves(root))["direction"]) == line.direction.value
        assert_same_message(element, line)
    frames = [root for root in roots if "control" in dict(leaves(root))]
    controls = [line for line in lines if line.kind == CONTROL and line.message != "header"]
    assert len(frames) == len(controls)
    for root, line in zip(frames, controls, strict=True):
        assert_same_control(root, line)
    damaged = [line for line in lines if line.kind == DAMAGED and line.message == "ProtocolError"]
    assert sum(is_damaged(root) for root in roots) == len(damaged)
    return len(messages), len(frames)


def test_the_real_capture_message_by_message(shared: Path, shark: Shark) -> None:
    path = shared / "captures" / CAPTURE
    if not path.is_file():
        pytest.skip("there is no real capture in ../shared/captures")
    assert compare(path.read_bytes(), shark) == (1483 + 56 + 24 + 8 + 9 + 27 + 9 + 72 + 27, 48 + 27)


@pytest.mark.parametrize("mtu", [23, 77, 247])
def test_a_session_of_our_own_message_by_message(mtu: int, shark: Shark) -> None:
    messages, frames = compare(talks.btsnoop(list(talks.packets(mtu=mtu))), shark)
    assert messages > 60
    assert frames >= 9


def test_fragments_and_several_connections_at_once(shark: Shark) -> None:
    talked = [list(talks.packets(handle, mtu=mtu, fragment=fragment, discovery=handle != 0x41))
              for handle, mtu, fragment in ((0x40, 23, 11), (0x41, 77, 1021), (0x42, 247, 27))]  # fmt: skip
    chance, mixed = random.Random(5), []
    while any(talked):
        mixed.append(chance.choice([rows for rows in talked if rows]).pop(0))
    assert compare(talks.btsnoop(mixed), shark)[0] > 180


def notified(messages: Sequence[bytes], *, chunk: int = 74, product: int | None = None) -> bytes:
    """A capture in which a device sends these messages, after an advertisement that names its product."""
    rows: list[tuple[int, bytes]] = []
    if product is not None:
        rows.append((talks.DEVICE, report(struct.pack("<BBH", PRODUCT_ADVERTISEMENT, 2, product))))
    rows.append((talks.DEVICE, talks.connected(0x40)))
    spoken = [talks.Spoken(talks.CLIENT, struct.pack("<BH", 0x02, 517)), *talks.declarations()]
    for message in messages:
        for write in cut(message, chunk):
            handle = talks.HANDLES[write.characteristic].to_bytes(2, "little")
            spoken.append(talks.Spoken(talks.DEVICE, b"\x1b" + handle + write.data))
    for packet in spoken:
        rows += talks.acl(packet, 0x40)
    return talks.btsnoop(rows)


def printable(raw: bytes) -> bytes:
    """The bytes without control characters, which tshark prints in its own way; what is no UTF-8 stays none."""
    return bytes(byte if byte > 0x7F else ord("A") + byte % 26 for byte in raw)


def register_values(family: str, chance: random.Random) -> Iterator[bytes]:
    """Every register of a family with contents of its size: zeros, ones, largest, random, and of a wrong size."""
    for row in registers(family):
        size = SIZES.get(row.type)
        sizes = [size] if size is not None else [0, 1, 2, 4, 6, 8, 19, 34, 35]
        values = [chance.randbytes(length) for length in sizes for _ in range(2)]
        values += [fill for length in sizes if length for fill in (bytes(length), b"\xff" * length)]
        values += [b"\xff" * (size - 1) + b"\x7f"] if size else []
        values += [chance.randbytes(2), chance.randbytes(4), chance.randbytes(3)] if size else []
        values.append(b"caf\xc3\xa9\0\xff\xff")
        holds_text = row.type == "str" or row.layout == "pin_code"
        for value in map(printable, values) if holds_text else values:
            if not (row.type == "f32" and value in (b"\xff\xff\xff\x7f",)):
                yield grammar.build_message(vreg.ValueMessage(3, row.id, value))


FAMILIES = ("smartshunt", "mppt", "charger", "multi", "lynx")


@pytest.mark.parametrize("family", FAMILIES)
def test_every_register_of_a_family_shows_what_the_table_says(family: str, shark: Shark) -> None:
    product = next(row.id for row in products() if row.family == family)
    messages = list(register_values(family, random.Random(family)))
    found, _ = compare(notified(messages, product=product), shark)
    assert found == len(messages) > 500


def test_every_kind_of_message_in_both_dialects(shark: Shark) -> None:
    messages = [
        vreg.GetDevices(), vreg.DeviceList(((0, 0), (3, 1))), vreg.DeviceList(((0, 0),), False), vreg.Subscribe(3),
        vreg.Subscribe(3, (0xED8D,)), vreg.Subscribe(3, (0xED8D, 0x93), True), vreg.Unsubscribe(3),
        vreg.GetValues(0, ()), vreg.GetValues(0, (0x0100, 0xED8D)), vreg.GetValues(300, (0x0100,), True),
        vreg.SetValues(3, ((0x0200, b"\2"), (0x010C, b"Bow"))), vreg.SetValues(3, ((0xEEFF, b"\1\2\3"),), True),
        vreg.Response(0, 3, 0), vreg.Response(0xEC65, 5, 2), vreg.Response(9, 99, 77),
        vreg.ValueMessage(3, 0xED8D, b"\x2f\5"),
        vreg.ValueResponse(3, 0xED8D, 1), vreg.ValueResponse(3, 0x7777, 9), vreg.Unknown(0x11, b"\x11\x03\x82\1\2"),
        vreg.GetValuesAlternate(0, (0xEC66, 0xEC65), True), vreg.SetValuesAlternate(0, ((0x0200, b"\4"),)),
        vreg.Response(0xEC65, -6, 2), vreg.Unknown(-8, b"\x27\x03"),
    ]  # fmt: skip
    data = [grammar.build_message(message) for message in messages]
    assert compare(notified([*data, b"".join(data[:10])]), shark)[0] == len(data) + 10
    paths = [vreg.GetPathList(0), vreg.GetPathValues(0, (1, 2)), vreg.SetPathValues(0, ((1, b"\x19\1\1"),), True),
             vreg.PathList(0, b"\0\1"), vreg.NewPath(0, 1, "Ä/b"), vreg.PathValue(0, 1, b"\xf6"),
             vreg.PathValueResponse(0, 1, 0)]  # fmt: skip
    shown_paths = shark.tree(notified([grammar.build_message(message) for message in paths]))
    opcodes = [int(shown(dict(leaves(item))["opcode"])) for root in shown_paths for item in root.iter("field")
               if item.get("name") == "victron.message"]  # fmt: skip
    assert opcodes == [message.opcode for message in paths]


def test_damaged_messages_keep_their_good_beginning(shark: Shark) -> None:
    chance = random.Random(17)
    whole = [grammar.build_message(message) for message in (
        vreg.ValueMessage(3, 0xED8D, b"\x2f\5"), vreg.GetValues(0, (1, 2, 3)),
        vreg.SetValues(0, ((0x93, b"\x10\x27"),), True),
        vreg.NewPath(0, 1, "x/y"), vreg.PathValue(0, 1, b"\x82\x01\xbf\x61a\x01\xff"),
        vreg.DeviceList(((0, 1),)))]  # fmt: skip
    messages = []
    for _ in range(700):
        data = bytearray(b"".join(chance.choice(whole) for _ in range(3)))
        for _ in range(chance.randrange(4)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        messages.append(bytes(data[: chance.randrange(1, len(data) + 1)]))
    messages += [chance.randbytes(chance.randrange(1, 60)) for _ in range(700)]
    capture = notified(messages)
    lines = [line for line in transcript(capture) if line.direction is not None and line.kind == VREG]
    roots = shark.tree(capture)
    found = [item for root in roots for item in root.iter("field") if item.get("name") == "victron.message"]
    known = [line for line in lines if -(1 << 31) <= line.content.opcode < 1 << 31]
    opcodes = [int(shown(dict(leaves(item))["opcode"])) for item in found if "opcode" in dict(leaves(item))]
    assert opcodes == [line.content.opcode for line in known]
    assert len(found) == len(lines)


def att(direction: int, *packets: bytes) -> list[talks.Spoken]:
    return [talks.Spoken(direction, packet) for packet in packets]


def test_the_smartshunt_service_is_found_by_uuid(shark: Shark) -> None:
    chance = random.Random(2)
    spoken, expected = [], []
    for number, row in enumerate(CHARACTERISTICS):
        handle = 0x100 + 3 * number
        uuid = bytes.fromhex(row.uuid.replace("-", ""))[::-1]
        declared = bytes([0x09, 21]) + struct.pack("<HBH", handle - 1, 0x12, handle) + uuid
        spoken += att(talks.CLIENT, struct.pack("<BHHH", 0x08, 1, 0xFFFF, 0x2803)) + att(talks.DEVICE, declared)
    for number, row in enumerate(CHARACTERISTICS):
        place = (0x100 + 3 * number).to_bytes(2, "little")
        for raw in (chance.randbytes(row.size), b"\xff" * (row.size - 1) + b"\x7f", b"\xff" * row.size, b"", b"\1"):
            spoken += att(talks.DEVICE, b"\x1b" + place + raw)
            spoken += att(talks.CLIENT, b"\x0a" + place) + att(talks.DEVICE, b"\x0b" + raw)
            expected += [(row, raw)] * 2
    rows = [(talks.DEVICE, talks.connected(0x40))] + [packet for item in spoken for packet in talks.acl(item, 0x40)]
    roots = shark.tree(talks.btsnoop(rows))
    assert len(roots) == len(expected)
    for root, (row, raw) in zip(roots, expected, strict=True):
        fields = {name: element for name, element in leaves(root) if name not in ("direction", "characteristic")}
        value = decode_characteristic(row.uuid, raw)
        assert not raw or int(shown(fields.pop("register")), 0) == row.register
        if len(raw) != row.size:
            assert ("malformed" in experts(root)) == bool(raw)
        elif value is None or value == float("inf"):
            assert fields == {}
        else:
            assert fields.keys() == {row.metric}
            assert agrees(fields[row.metric], value)


def test_what_is_never_completed_is_marked_on_the_second_pass(shark: Shark) -> None:
    bulk = talks.HANDLES[DataCharacteristic.BULK].to_bytes(2, "little")
    rows = [(talks.DEVICE, talks.connected(0x40))]
    for spoken in (*talks.declarations(), talks.Spoken(talks.DEVICE, b"\x1b" + bulk + b"\x08\x03\x19")):
        rows += talks.acl(spoken, 0x40)
    (root,) = shark.tree(talks.btsnoop(rows), "-2")
    assert experts(root) == {"unfinished"}


def test_handles_by_preference_and_a_key_seen_in_the_capture(shark: Shark) -> None:
    value = grammar.build_message(vreg.ValueMessage(0, talks.KEY_REGISTER, KEY))
    packet = talks.Spoken(talks.DEVICE, b"\x1b\x44\x00" + value)
    rows = [(talks.DEVICE, talks.connected(0x40)), *talks.acl(packet, 0x40)]
    assert shark.tree(talks.btsnoop(rows)) == []
    from bluewatt.tables.records.solar_charger import SolarCharger

    rows.append((1, report(advertisement(SolarCharger, bytes(12), 7))))
    conversation, heard = shark.tree(talks.btsnoop(rows), "-o", "victron.handles:41,44,47")
    assert "secret" in experts(conversation)
    assert "pv_power" in dict(leaves(heard))


def test_random_packets_never_stop_the_dissector(shark: Shark) -> None:
    chance = random.Random(23)
    handles = [handle.to_bytes(2, "little") for handle in talks.HANDLES.values()]
    spoken = list(talks.declarations())
    for _ in range(2500):
        opcode = chance.choice(
            (0x12, 0x52, 0xD2, 0x1B, 0x1D, 0x0B, 0x0A, 0x08, 0x09, 0x05, 0x02, chance.randrange(256))
        )
        body = chance.choice(handles) + bytes([chance.choice((8, 5, 6, 0xF7, 0xF8, 0xF9, 0xFA, 0x9F))])
        data = bytes([opcode]) + body + chance.randbytes(chance.randrange(0, 30))
        spoken.append(talks.Spoken(chance.randrange(2), data[: chance.randrange(1, len(data) + 1)]))
    rows = [(talks.DEVICE, talks.connected(0x40))] + [packet for item in spoken for packet in talks.acl(item, 0x40)]
    for options in ((), ("-V",), ("-2", "-V"), ("-T", "fields", "-e", "victron.message")):
        shark.run(talks.btsnoop(rows), *options)


def test_decode_errors_are_the_decoders_too() -> None:
    """The comparison above relies on the decoder raising only errors of ours."""
    with pytest.raises(BluewattError):
        decode_advertisement(b"\x03\x01", KEY)
