"""What is fuzzed: a decoder, what it may raise, and good inputs to damage."""

from __future__ import annotations

import base64
import io
import tarfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from bench import talks
from bluewatt import build_advertisement, decode_advertisement, decode_record, encode_record
from bluewatt.app.decoding.text_contents import TextReader, items
from bluewatt.errors import BluewattError, CaptureError, KeyProblem, WireError
from bluewatt.model.dialogue.conversation import Line
from bluewatt.model.dialogue.json_objects import LineWriter
from bluewatt.model.dialogue.redaction import Redactor
from bluewatt.model.dialogue.sentences import sentence
from bluewatt.model.dialogue.transcript import Transcript
from bluewatt.tables.records import record_classes
from bluewatt.tables.smartshunt import CHARACTERISTICS
from bluewatt.transports.capture.files import split_lines
from bluewatt.transports.capture.untar import Untar
from bluewatt.wire.bluetooth.advertisement_reader import AdvertisementReader
from bluewatt.wire.bluetooth.air_connections import AirLinks
from bluewatt.wire.bluetooth.att import Server
from bluewatt.wire.bluetooth.hci_reports import advertising_reports
from bluewatt.wire.bluetooth.link_layer import advertising_report, unwrap_air
from bluewatt.wire.containers import PacketKind, read_packets
from bluewatt.wire.containers.btsnooz import find_logs, read_log
from bluewatt.wire.smartshunt import decode_characteristic
from bluewatt.wire.vesmart.broadcast import Network, build_broadcast, parse_broadcast, parse_content, seal
from bluewatt.wire.victronconnect import messages as vreg
from bluewatt.wire.victronconnect.control import parse_control, parse_header
from bluewatt.wire.victronconnect.grammar import build_message, parse_messages

KEY = bytes(range(16))
TYPES = [cls.record_type for cls in record_classes()]
AIR_KINDS = [int(kind) for kind in PacketKind if kind >= PacketKind.AIR]


@dataclass(frozen=True)
class Target:
    """One decoder under fire."""

    run: Callable[[bytes], object]
    may_raise: tuple[type[BluewattError], ...] = (WireError,)
    seeds: list[bytes] = field(default_factory=list)


class NotInverse(AssertionError):
    """What was decoded does not survive being encoded and decoded again."""


def advertisement(data: bytes) -> None:
    decode_advertisement(data, KEY).as_dict()


def record(data: bytes) -> None:
    """The first byte picks the record type; what a whole record says must survive a round trip."""
    record_type, plaintext = TYPES[data[0] % len(TYPES)] if data else TYPES[0], data[1:]
    found = decode_record(record_type, plaintext)
    if 8 * len(plaintext) >= found.bits and decode_record(record_type, encode_record(found)) != found:
        raise NotInverse(f"{found} became {decode_record(record_type, encode_record(found))}")


def messages(data: bytes) -> None:
    for message in parse_messages(data):
        if parse_messages(build_message(message)) != [message]:
            raise NotInverse(f"{message} does not come back from {build_message(message).hex()}")


def control(data: bytes) -> None:
    parse_control(data)


def header(data: bytes) -> None:
    parse_header(data)


def characteristic(data: bytes) -> None:
    for row in CHARACTERISTICS:
        decode_characteristic(row.uuid, data)


def broadcast(data: bytes) -> None:
    parse_broadcast(data)


def content(data: bytes) -> None:
    parse_content(data)


def hci_event(data: bytes) -> None:
    list(advertising_reports(data))


def air(data: bytes) -> None:
    """The first byte picks the capture's way of writing link-layer packets."""
    advertising_report(unwrap_air(AIR_KINDS[data[0] % len(AIR_KINDS)] if data else AIR_KINDS[0], data[1:]))


def capture(data: bytes) -> None:
    reader = AdvertisementReader()
    for packets in read_packets([data[:40], data[40:]]):
        reader.read(packets)


def attribute(data: bytes) -> None:
    """The ATT packets of one server, a length byte before each."""
    server, position = Server(), 0
    while position < len(data):
        end = position + 1 + data[position]
        list(server.receive(data[position + 1 : end]))
        position = end
    list(server.close())


def conversation(data: bytes) -> None:
    """Everything a capture holds, told in every way, and made safe to share."""
    transcript, writer, redactor = Transcript("fuzz"), LineWriter("fuzz"), Redactor()
    told = []
    for packets in read_packets([data[:40], data[40:]]):
        told += [entry for _, entries in transcript.feed(packets) for entry in entries]
        redactor.learn(packets)
        redactor.rewrite(packets)
    redactor.finish()
    for entry in (*told, *transcript.finish()):
        if isinstance(entry, Line):
            writer.line(entry)
            sentence(entry)


def sniffed(data: bytes) -> None:
    """Link-layer packets of a sniffer, a length byte before each: one connection, plain and encrypted."""
    links, position = AirLinks([KEY]), 0
    while position < len(data):
        end = position + 1 + data[position]
        links.read((0.0, PacketKind.AIR, None, data[position + 1 : end], position, 0))
        position = end


def archive(data: bytes) -> None:
    """The files of a tar, each taken whole; the first headers get a right checksum, else it all ends there."""
    whole = bytearray(data)
    for at in range(0, min(len(whole) - 511, 2048), 512):
        whole[at + 148 : at + 156] = b" " * 8
        whole[at + 148 : at + 156] = b"%06o\0 " % sum(whole[at : at + 512])
    for _, pieces in Untar("fuzz", iter([bytes(whole[:700]), bytes(whole[700:])])):
        for _ in pieces:
            pass


def phone_log(data: bytes) -> None:
    for log in find_logs(data.decode("latin-1").splitlines()):
        read_log(log)


def text_log(data: bytes) -> None:
    """A text of any form: what is found in it becomes packets, which are told and made safe to share."""
    reader = TextReader()
    packets = [packet for item in items(reader, split_lines([data])) for packet in item.packets]
    list(reader.notes())
    if not packets:
        return
    transcript, writer, redactor = Transcript("fuzz"), LineWriter("fuzz"), Redactor()
    redactor.learn(packets)
    redactor.rewrite(packets)
    redactor.finish()
    told = [entry for _, entries in transcript.feed(packets) for entry in entries]
    for entry in (*told, *transcript.finish()):
        if isinstance(entry, Line):
            writer.line(entry)
            sentence(entry)


def packetlogger(rows: list[tuple[int, bytes]]) -> bytes:
    """A small PacketLogger file."""
    types = {(1, 0): 0, (4, 1): 1, (2, 0): 2, (2, 1): 3}
    at = b"\x65\x50\x9a\x80" + bytes(4)
    return b"".join(
        (8 + len(packet)).to_bytes(4, "big") + at + bytes([types[packet[0], way]]) + packet[1:] for way, packet in rows
    )


def hcidump(rows: list[tuple[int, bytes]]) -> bytes:
    """A small file of hcidump."""
    at = b"\x80\x9a\x50\x65" + bytes(4)
    return b"".join(len(packet).to_bytes(2, "little") + bytes([way, 0]) + at + packet for way, packet in rows)


def tar(files: dict[str, bytes]) -> bytes:
    """A small tar with long names."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as made:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            made.addfile(member, io.BytesIO(content))
    return out.getvalue()


def bug_report(rows: list[tuple[int, bytes]]) -> bytes:
    """The text of a bug report with a small log in it."""
    types = {(1, 0): 0x20, (4, 1): 0x10, (2, 0): 0x21, (2, 1): 0x11}
    records = b"".join(
        len(packet).to_bytes(2, "little") * 2 + bytes(4) + bytes([types[packet[0], way]]) + packet[1:]
        for way, packet in rows
    )
    packed = b"\x02" + (1_795_000_000_000_000).to_bytes(8, "little") + zlib.compress(records)
    return b"--- BEGIN:BTSNOOP_LOG_SUMMARY\n" + base64.b64encode(packed) + b"\n--- END:BTSNOOP_LOG_SUMMARY"


def sealed() -> list[bytes]:
    """An advertisement of every record with all its values absent."""
    return [build_advertisement(cls(), product_id=0xA389, key=KEY, nonce=7) for cls in record_classes()]


def report(data: bytes) -> bytes:
    """An LE advertising report event that carries `data` as manufacturer data."""
    structure = bytes([len(data) + 3, 0xFF]) + b"\xe1\x02" + data
    body = b"\x02\x01\x00\x00" + bytes(range(6)) + bytes([len(structure)]) + structure + b"\xc4"
    return bytes([0x3E, len(body)]) + body


def btsnoop(events: list[bytes]) -> bytes:
    """A small btsnoop file (H4)."""
    packets = [b"\x04" + event for event in events]
    head = b"btsnoop\0" + (1).to_bytes(4, "big") + (1002).to_bytes(4, "big")
    stamp = (0x00DCDDB30F2F8000 + 1_700_000_000_000_000).to_bytes(8, "big")
    size = [len(packet).to_bytes(4, "big") for packet in packets]
    flags_and_drops = (3).to_bytes(4, "big") + bytes(4)
    return head + b"".join(n + n + flags_and_drops + stamp + packet for n, packet in zip(size, packets, strict=True))


def pcap(events: list[bytes]) -> bytes:
    """A small pcap file (H4 with a direction word)."""
    packets = [b"\0\0\0\1\x04" + event for event in events]
    head = bytes.fromhex("d4c3b2a1020004000000000000000000ffff0000c9000000")
    size = [len(packet).to_bytes(4, "little") for packet in packets]
    return head + b"".join(
        b"\x80\x9a\x50\x65" + bytes(4) + n + n + packet for n, packet in zip(size, packets, strict=True)
    )


ADVERTISEMENTS = sealed()
EVENTS = [report(data) for data in ADVERTISEMENTS]

MESSAGES: list[vreg.Message] = [
    vreg.GetDevices(),
    vreg.DeviceList(pairs=((0, 0), (3, 1))),
    vreg.Subscribe(instance=3),
    vreg.GetValues(instance=3, registers=(0xED8D, 0x0100)),
    vreg.GetValues(instance=0, registers=(0xEC65,), indefinite=True),
    vreg.SetValues(instance=3, writes=((0x0093, b"\x3c\x00"), (0xED8D, b""))),
    vreg.Response(item=0, request_opcode=5, code=0),
    vreg.ValueMessage(instance=3, register=0xED8D, value=b"\x2f\x05"),
    vreg.ValueResponse(instance=3, register=0xED8E, code=1),
    vreg.NewPath(instance=0, index=4, path="/Dc/0/Voltage"),
]
TALK = list(talks.packets(pushes=3, mtu=77, fragment=40))
ON_AIR = b"\xab\x5d\x65\x50"
AIR_TALK = [
    b"\xd6\xbe\x89\x8e\x05\x22" + bytes(range(12)) + ON_AIR + bytes(18) + bytes(3),
    *(ON_AIR + bytes([2, len(one.data) + 4, len(one.data), 0, 4, 0]) + one.data + bytes(3)
      for one in talks.talk(pushes=2)),
    *(ON_AIR + bytes([3, len(body)]) + body + bytes(3) for body in (b"\x03" + bytes(22), b"\x04" + bytes(12), b"\x05")),
    ON_AIR + b"\x02\x09" + bytes(9) + bytes(3),
]  # fmt: skip
NETWORK = Network(b"\x12\x34", KEY)
GOLDEN = Path(__file__).parents[1] / "tests" / "captures" / "texts"
TEXTS = [
    "\n".join(path.read_text("utf-8").splitlines()[-12:-6]).encode()
    for path in sorted(GOLDEN.glob("*"))
    if "damaged" not in path.name
]
"""A few lines of each form; short, for each run reads them all."""

TARGETS = {
    "advertisement": Target(advertisement, (WireError, KeyProblem), ADVERTISEMENTS),
    "record": Target(record, seeds=[bytes([place]) + b"\xff" * 20 for place in range(len(TYPES))]),
    "messages": Target(messages, seeds=[build_message(message) for message in MESSAGES]),
    "control": Target(control),
    "header": Target(header),
    "characteristic": Target(characteristic),
    "broadcast": Target(broadcast, seeds=[build_broadcast(seal(NETWORK, serial=12345, sequence=7, overflow=1))]),
    "content": Target(content),
    "hci-event": Target(hci_event, seeds=EVENTS),
    "air": Target(air),
    "attribute": Target(attribute, seeds=[b"".join(bytes([len(one.data)]) + one.data for one in talks.talk(pushes=3))]),
    "conversation": Target(conversation, (CaptureError,), [talks.btsnoop(TALK), packetlogger(TALK), hcidump(TALK)]),
    "sniffed": Target(sniffed, seeds=[b"".join(bytes([len(one)]) + one for one in AIR_TALK)]),
    "hcidump": Target(capture, (CaptureError,), [hcidump([(1, b"\x04" + event) for event in EVENTS[:3]])]),
    "archive": Target(archive, (CaptureError,), [tar({"logs/" * 40 + "x.pklg": packetlogger(TALK[:9]), "b": b"c"})]),
    "text-log": Target(text_log, (), TEXTS),
    "phone-log": Target(phone_log, (CaptureError,), [bug_report(TALK)]),
    "capture": Target(capture, (CaptureError,), [btsnoop(EVENTS[:3]), pcap(EVENTS[:3])]),
}
