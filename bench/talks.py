"""Connections to record: a client and a device of ours talk head to tail, and what they say is put into HCI packets."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from bluewatt.tables.gatt import DataCharacteristic, ResultCode
from bluewatt.wire.victronconnect.client import ClientSide
from bluewatt.wire.victronconnect.device import NEW, DeviceSide
from bluewatt.wire.victronconnect.messages import GetDevices, GetValues, SetValues, Subscribe, ValueMessage
from bluewatt.wire.victronconnect.session import Session

CLIENT, DEVICE = 0, 1
HANDLES = {DataCharacteristic.CONTROL: 0x31, DataCharacteristic.LAST: 0x34, DataCharacteristic.BULK: 0x37}
"""Not those of any known layout, so that they have to be discovered."""
KEY_REGISTER = 0xEC65
KEY = bytes(range(0xAA, 0xBA))
PRODUCT = bytes.fromhex("0089a3fe")
SERIAL = b"HQ2101ABCDE"
NAME = b"Aft battery"
EPOCH = 0x00DCDDB30F2F8000
START = 1_795_000_000


class Spoken(NamedTuple):
    """One ATT packet."""

    side: int
    data: bytes


class Registers:
    """A SmartShunt with a voltage that moves, a name, a serial, a key and one register nobody knows."""

    def __init__(self) -> None:
        self.content: dict[tuple[int, int], bytes] = {
            (0, 0x0100): PRODUCT, (0, 0x010A): SERIAL, (0, 0x010C): NAME, (0, KEY_REGISTER): KEY,
            (0, 0xEC66): bytes.fromhex("c01122334455"), (3, 0xED8D): b"\x2f\x05", (3, 0xED8C): b"\x00\x01\x00\x00",
            (3, 0x0FFF): b"\x10\x27", (3, 0x7777): b"\x01\x02\x03", (3, 0x104F): bytes(range(34)),
        }  # fmt: skip

    def devices(self) -> Sequence[tuple[int, int]]:
        return ((0, 0), (1, 0), (3, 1))

    def get(self, instance: int, register: int) -> bytes | int:
        return self.content.get((instance, register), ResultCode.UNKNOWN_REGISTER)

    def set(self, instance: int, register: int, value: bytes) -> bytes | int:
        if (instance, register) not in self.content:
            return ResultCode.UNKNOWN_REGISTER
        self.content[instance, register] = value
        return value


def declarations() -> Iterator[Spoken]:
    """MTU exchange aside, what a client asks first: which handle is which characteristic."""
    yield Spoken(CLIENT, struct.pack("<BHHH", 0x08, 1, 0xFFFF, 0x2803))
    for characteristic, handle in HANDLES.items():
        uuid = bytes.fromhex(characteristic.value.replace("-", ""))[::-1]
        yield Spoken(DEVICE, bytes([0x09, 21]) + struct.pack("<HBH", handle - 1, 0x1C, handle) + uuid)
        yield Spoken(CLIENT, struct.pack("<BHHH", 0x08, handle + 1, 0xFFFF, 0x2803))
    yield Spoken(DEVICE, b"\x01\x08" + struct.pack("<HB", 0x38, 0x0A))


def _exchange(client: Session, device: Session, now: float, client_writes: list) -> Iterator[Spoken]:
    pending = [(CLIENT, write) for write in client_writes]
    while pending:
        side, write = pending.pop(0)
        opcode = 0x52 if side == CLIENT else 0x1B
        yield Spoken(side, bytes([opcode]) + HANDLES[write.characteristic].to_bytes(2, "little") + write.data)
        receiver = device if side == CLIENT else client
        receiver.receive(write.characteristic, write.data, now)
        pending += [(1 - side, answer) for answer in receiver.take_writes()]


def talk(*, mtu: int = 23, pushes: int = 50, discovery: bool = True) -> Iterator[Spoken]:
    """A session: opening, all registers read, one written, then values pushed as they change."""
    client, side = Session(ClientSide(keep_alive=None), mtu=mtu), DeviceSide(Registers(), NEW)
    device = Session(side, mtu=mtu)
    yield Spoken(CLIENT, struct.pack("<BH", 0x02, 517))
    yield Spoken(DEVICE, struct.pack("<BH", 0x03, mtu))
    if discovery:
        yield from declarations()
    now = 0.0
    device.open(now)
    opening = client.open(now)
    yield from _exchange(client, device, now, opening)
    for message in (
        *(GetDevices(), Subscribe(0), Subscribe(3), GetValues(0, (0x0100, 0x010A, 0x010C, KEY_REGISTER, 0xEC66))),
        *(GetValues(3, (0xED8D, 0xED8C, 0x0FFF, 0x7777, 0x104F, 0x1234)), SetValues(0, ((0x010C, b"Bow battery"),))),
    ):
        yield from _exchange(client, device, now, client.send(message, now))
    for push in range(pushes):
        now += 1.0
        for write in device.send(ValueMessage(3, 0xED8D, (1200 + push % 300).to_bytes(2, "little")), now):
            yield Spoken(DEVICE, b"\x1b" + HANDLES[write.characteristic].to_bytes(2, "little") + write.data)
            client.receive(write.characteristic, write.data, now)
        yield from _exchange(client, device, now, client.take_writes())


def acl(spoken: Spoken, handle: int, *, fragment: int = 1021) -> Iterator[tuple[int, bytes]]:
    """The ACL packets of one ATT packet: (direction, H4 packet)."""
    whole = struct.pack("<HH", len(spoken.data), 4) + spoken.data
    for at in range(0, len(whole), fragment):
        boundary = 1 if at else (0 if spoken.side == CLIENT else 2)
        piece = whole[at : at + fragment]
        yield spoken.side, b"\x02" + struct.pack("<HH", handle | boundary << 12, len(piece)) + piece


def connected(handle: int, address: bytes = b"\x55\x44\x33\x22\x11\xc0") -> bytes:
    """LE Connection Complete, as H4."""
    body = struct.pack("<BBHBB", 0x01, 0, handle, 0, 1) + address + struct.pack("<HHHB", 12, 0, 400, 0)
    return b"\x04\x3e" + bytes([len(body)]) + body


def disconnected(handle: int) -> bytes:
    """Disconnection Complete, as H4."""
    return b"\x04\x05\x04\x00" + struct.pack("<HB", handle, 0x13)


def packets(handle: int = 0x40, *, fragment: int = 1021, **options: object) -> Iterator[tuple[int, bytes]]:
    """One connection from its beginning to its end: (direction, H4 packet)."""
    yield DEVICE, connected(handle)
    for spoken in talk(**options):  # type: ignore[arg-type]
        yield from acl(spoken, handle, fragment=fragment)
    yield DEVICE, disconnected(handle)


def btsnoop(rows: Iterator[tuple[int, bytes]] | Sequence[tuple[int, bytes]], *, step: float = 0.01) -> bytes:
    """A btsnoop file (H4) of such packets, `step` seconds apart."""
    parts = [b"btsnoop\0" + struct.pack(">II", 1, 1002)]
    for number, (direction, packet) in enumerate(rows):
        kind = 0 if packet[0] == 2 else 2
        stamp = EPOCH + round((START + number * step) * 1e6)
        parts.append(struct.pack(">IIIIq", len(packet), len(packet), direction | kind, 0, stamp) + packet)
    return b"".join(parts)
