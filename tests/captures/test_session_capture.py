"""A real SmartShunt and its client, recorded in January 2021: our sessions understand both sides of it."""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

from bluewatt.tables.gatt import CHARACTERISTIC_HANDLES, DataCharacteristic, ResultCode
from bluewatt.wire.victronconnect.client import ClientSide
from bluewatt.wire.victronconnect.control import ControlFrame, Failure, Grant, Limits, parse_control
from bluewatt.wire.victronconnect.device import OLD, DeviceSide
from bluewatt.wire.victronconnect.events import Event, Role, Unanswered
from bluewatt.wire.victronconnect.grammar import build_message
from bluewatt.wire.victronconnect.messages import (
    DeviceList,
    GetDevices,
    GetValues,
    Message,
    ValueMessage,
    ValueResponse,
)
from bluewatt.wire.victronconnect.observer import Observer
from bluewatt.wire.victronconnect.reassembly import ChunkWrite, Inbox, ProtocolError
from bluewatt.wire.victronconnect.session import Session

HANDLES = CHARACTERISTIC_HANDLES["smartshunt"]
SENDERS = {0x52: Role.CLIENT, 0x12: Role.CLIENT, 0x1B: Role.DEVICE}
CONNECTED, DISCONNECTED = "connected", "disconnected"

# The client's script cuts its long list of reads in the middle: the last chunk of one message ends inside a record, and
# the rest of the list is never ended (protocol page victronconnect-gatt, section 6).
CUT_BY_THE_SCRIPT = bytes.fromhex("0501811901000501811901000501811901000501")


class Chunk(NamedTuple):
    sender: Role
    characteristic: DataCharacteristic
    data: bytes
    at: float


def _packets(path: Path) -> Iterator[tuple[float, bytes]]:
    data = path.read_bytes()
    at = 16
    while at < len(data):
        _, length, _, _, microseconds = struct.unpack_from(">IIIIq", data, at)
        yield microseconds / 1e6, data[at + 24 : at + 24 + length]
        at += 24 + length


def _att(packet: bytes) -> bytes | None:
    """The ATT packet in an unfragmented ACL packet; none of the capture's are longer than one."""
    if packet[0] != 2 or packet[7:9] != b"\x04\x00":
        return None
    (length,) = struct.unpack_from("<H", packet, 5)
    return packet[9 : 9 + length]


def _events(path: Path) -> Iterator[Chunk | str]:
    for at, packet in _packets(path):
        if packet[:2] == b"\x04\x3e" and packet[3] in (1, 10):
            yield CONNECTED
        elif packet[:2] == b"\x04\x05":
            yield DISCONNECTED
        elif att := _att(packet):
            handle = int.from_bytes(att[1:3], "little")
            if att[0] in SENDERS and handle in HANDLES:
                yield Chunk(SENDERS[att[0]], HANDLES[handle], att[3:], at)


@pytest.fixture(scope="module")
def connections(shared: Path) -> list[list[Chunk]]:
    """The chunks of each connection in order."""
    found: list[list[Chunk]] = []
    for event in _events(shared / "captures" / "smartshunt_mtu23_sessions_00-09.btsnoop"):
        if event is CONNECTED:
            found.append([])
        elif isinstance(event, Chunk):
            found[-1].append(event)
    return found


def full(connections: list[list[Chunk]]) -> list[list[Chunk]]:
    return [chunks for chunks in connections if any(chunk.sender is Role.DEVICE for chunk in chunks)]


def test_the_capture_holds_what_its_description_says(connections: list[list[Chunk]]) -> None:
    counts = Counter(c.characteristic for chunks in connections for c in chunks if c.sender is Role.DEVICE)
    assert counts == {DataCharacteristic.LAST: 1544, DataCharacteristic.BULK: 238, DataCharacteristic.CONTROL: 48}
    assert len(connections) == 10
    assert len(full(connections)) == 8


def test_an_observer_understands_all_the_device_says(connections: list[list[Chunk]]) -> None:
    observer, kinds, messages = Observer(), Counter[str](), 0
    for chunks in connections:
        for chunk in chunks:
            events = observer.receive(chunk.sender, chunk.characteristic, chunk.data)
            if chunk.sender is Role.DEVICE:
                assert not any(isinstance(event, ProtocolError) for event in events)
                kinds.update(type(event).__name__ for event in events)
                messages += chunk.characteristic is DataCharacteristic.LAST
        assert Role.DEVICE not in observer.reset()
    assert messages == 1544
    assert kinds == {"ValueMessage": 1483, "ValueResponse": 56, "Grant": 48, "Response": 24, "DeviceList": 8}


def test_an_observer_understands_the_client_up_to_what_its_script_cut(connections: list[list[Chunk]]) -> None:
    observer = Observer()
    errors: list[ProtocolError] = []
    kinds: Counter[str] = Counter()
    leftovers = []
    for chunks in connections:
        for chunk in chunks:
            events = observer.receive(chunk.sender, chunk.characteristic, chunk.data)
            if chunk.sender is Role.CLIENT:
                errors += [event for event in events if isinstance(event, ProtocolError)]
                kinds.update(type(event).__name__ for event in events)
        leftovers += list(observer.reset().values())
    assert {error.data for error in errors} == {CUT_BY_THE_SCRIPT}
    assert all(error.good == (GetValues(1, (0x0100,)),) * 3 for error in errors)
    assert kinds == {
        **{"Limits": 9, "Grant": 18, "GetDevices": 9, "Subscribe": 27, "SetValues": 9},
        **{"GetValues": 72 + 27, "ProtocolError": 9},
    }
    assert len(leftovers) == 9
    assert len(set(leftovers)) == 1
    assert leftovers[0].startswith(bytes.fromhex("81190109"))


def test_each_device_spent_its_credit_to_the_last_message(connections: list[list[Chunk]]) -> None:
    for chunks in full(connections):
        observer = Observer()
        for chunk in chunks:
            observer.receive(chunk.sender, chunk.characteristic, chunk.data)
            assert observer.credit[Role.DEVICE] >= 0
        assert observer.credit == {Role.DEVICE: 0, Role.CLIENT: 1}


def test_captured_messages_build_back_to_the_same_bytes(connections: list[list[Chunk]]) -> None:
    for chunks in connections:
        whole = dict.fromkeys(Role, b"")
        inboxes = {role: Inbox() for role in Role}
        for chunk in chunks:
            if chunk.characteristic is DataCharacteristic.CONTROL:
                continue
            whole[chunk.sender] += chunk.data
            received = inboxes[chunk.sender].receive(chunk.characteristic, chunk.data)
            if isinstance(received, list):
                assert b"".join(map(build_message, received)) == whole[chunk.sender]
            if received is not None:
                whole[chunk.sender] = b""


class CapturedRegisters:
    """Answers what the captured device answered first for each register."""

    def __init__(self, chunks: Sequence[Chunk]) -> None:
        self.content: dict[tuple[int, int], bytes | int] = {}
        self.listed: tuple[tuple[int, int], ...] = ()
        for message in records(chunks, Role.DEVICE):
            if isinstance(message, ValueMessage):
                self.content.setdefault((message.instance, message.register), message.value)
            elif isinstance(message, ValueResponse):
                self.content.setdefault((message.instance, message.register), message.code)
            elif isinstance(message, DeviceList):
                self.listed = message.pairs

    def devices(self) -> Sequence[tuple[int, int]]:
        return self.listed

    def get(self, instance: int, register: int) -> bytes | int:
        return self.content.get((instance, register), ResultCode.UNKNOWN_REGISTER)

    def set(self, instance: int, register: int, value: bytes) -> bytes | int:
        return ResultCode.ACCESS_REFUSED


def messages(chunks: Sequence[Chunk], sender: Role) -> list[list[Message]]:
    """The records of each message one side sent."""
    inbox = Inbox()
    found: list[list[Message]] = []
    for chunk in chunks:
        if chunk.sender is sender and chunk.characteristic is not DataCharacteristic.CONTROL:
            received = inbox.receive(chunk.characteristic, chunk.data)
            found += [received] if isinstance(received, list) else []
    return found


def records(chunks: Sequence[Chunk], sender: Role) -> list[Message]:
    return [record for message in messages(chunks, sender) for record in message]


def key(message: Message) -> object:
    """What a record is about: a register, or its kind."""
    if isinstance(message, ValueMessage | ValueResponse):
        return message.instance, message.register
    return type(message)


def written(writes: Sequence[ChunkWrite]) -> tuple[list[ControlFrame], list[list[Message]]]:
    """What a session wrote, control frames apart from messages."""
    frames = [parse_control(write.data) for write in writes if write.characteristic is DataCharacteristic.CONTROL]
    chunks = [Chunk(Role.DEVICE, write.characteristic, write.data, 0.0) for write in writes]
    return frames, messages(chunks, Role.DEVICE)


def test_our_device_answers_the_captured_client_message_by_message_as_the_real_one_did(
    connections: list[list[Chunk]],
) -> None:
    alike = 0
    for chunks in full(connections):
        side = DeviceSide(CapturedRegisters(chunks), OLD)
        session = Session(side)
        session.open(0.0)
        errors, writes = [], list[ChunkWrite]()
        for chunk in chunks:
            if chunk.sender is Role.CLIENT:
                events = session.receive(chunk.characteristic, chunk.data, chunk.at)
                errors += [event for event in events if isinstance(event, ProtocolError)]
                writes += session.take_writes()
        frames, ours = written(writes)
        assert [error.data for error in errors] == [CUT_BY_THE_SCRIPT]
        assert frames == [Grant(1)] * 6 + [Failure(3)]
        assert side.subscriptions == {0, 1, 3}
        assert all(len(write.data) <= 20 for write in writes)
        # The real device goes on reading a stale buffer behind the cut, so its last answer is to nobody's question.
        stale = ValueResponse(1, 0xEC0E, ResultCode.UNKNOWN_REGISTER)
        asked = {key(record) for message in ours for record in message}
        captured = messages(chunks, Role.DEVICE)
        theirs = [[record for record in message if record != stale and key(record) in asked] for message in captured]
        assert [record for message in ours for record in message] == [one for message in theirs for one in message]
        assert [len(message) for message in ours] == [1] * 13 + [3], "only answers of instance 1 share a message"
        alike += ours == [message for message in theirs if message]
        assert session.deadline() is None
    # In two of the eight the real one cut its answers otherwise where instance 1 begins: it packs by the moment.
    assert (alike, len(full(connections))) == (6, 8)


def test_our_client_hears_the_captured_device(connections: list[list[Chunk]]) -> None:
    for chunks in full(connections):
        side = ClientSide()
        session = Session(side)
        start = chunks[0].at
        opened = session.open(0.0)
        assert [parse_control(write.data) for write in opened] == [Limits(128, 255), Grant(128)]
        session.send(GetDevices(), 0.0)
        heard: list[Event] = []
        unanswered: list[Event] = []
        for chunk in chunks:
            if chunk.sender is Role.DEVICE:
                now = chunk.at - start
                while (deadline := session.deadline()) is not None and deadline <= now:
                    unanswered += [e for e in session.on_time(deadline) if isinstance(e, Unanswered)]
                heard += [e for e in session.receive(chunk.characteristic, chunk.data, now) if not isinstance(e, Grant)]
        grants = [frame for frame in written(session.take_writes())[0] if isinstance(frame, Grant)]
        assert heard == records(chunks, Role.DEVICE)
        assert grants == [Grant(65)] * 2
        assert unanswered == []
        assert not side.keeps_alive, "the captured device answers code 1 to the keep-alive, so it needs none"
