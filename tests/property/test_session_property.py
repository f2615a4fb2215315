"""Whatever a link does to the bytes, a session never hangs, never raises and never makes up a value."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bluewatt.errors import Malformed
from bluewatt.tables.gatt import DataCharacteristic, ResultCode
from bluewatt.wire.victronconnect import grammar
from bluewatt.wire.victronconnect import messages as vreg
from bluewatt.wire.victronconnect.client import ClientSide
from bluewatt.wire.victronconnect.control import Failure, Grant, build_control, parse_control, parse_header
from bluewatt.wire.victronconnect.device import CHARGER, NEW, OLD, DeviceSide, Personality
from bluewatt.wire.victronconnect.events import Event, Expired, Role
from bluewatt.wire.victronconnect.messages import GetDevices, GetValues, Message, SetValues, Subscribe, ValueMessage
from bluewatt.wire.victronconnect.observer import Observer
from bluewatt.wire.victronconnect.reassembly import LONGEST_MESSAGE, ChunkWrite, Inbox, ProtocolError, cut
from bluewatt.wire.victronconnect.session import Session

# ── strategies ───────────────────────────────────────────────────────────────

numbers = st.one_of(st.integers(0, 0xFFFF), st.integers(0, 2**64 - 1))
contents = st.binary(max_size=40)
lists = st.lists(numbers, max_size=6).map(tuple)
pairs = st.lists(st.tuples(numbers, contents), max_size=4).map(tuple)
raw_items = st.sampled_from(
    [bytes.fromhex(h) for h in ("00", "20", "4101", "6161", "820102", "9f01ff", "a10102", "f6")]
)
raw_pairs = st.lists(st.tuples(numbers, raw_items), max_size=3).map(tuple)

messages: st.SearchStrategy[Message] = st.one_of(
    st.builds(vreg.GetDevices),
    st.builds(vreg.DeviceList, st.lists(st.tuples(numbers, numbers), max_size=4).map(tuple), st.booleans()),
    st.builds(vreg.Subscribe, numbers),
    st.builds(vreg.Subscribe, numbers, lists, st.booleans()),
    st.builds(vreg.Unsubscribe, numbers),
    st.builds(vreg.GetValues, numbers, lists, st.booleans()),
    st.builds(vreg.SetValues, numbers, pairs, st.booleans()),
    st.builds(vreg.GetValuesAlternate, numbers, lists, st.booleans()),
    st.builds(vreg.SetValuesAlternate, numbers, pairs, st.booleans()),
    st.builds(vreg.Response, numbers, st.integers(-(2**64), 2**64 - 1), numbers),
    st.builds(vreg.ValueMessage, numbers, numbers, contents),
    st.builds(vreg.ValueResponse, numbers, numbers, numbers),
    st.builds(vreg.GetPathList, numbers),
    st.builds(vreg.GetPathValues, numbers, lists, st.booleans()),
    st.builds(vreg.SetPathValues, numbers, raw_pairs, st.booleans()),
    st.builds(vreg.PathList, numbers, contents),
    st.builds(vreg.NewPath, numbers, numbers, st.text(max_size=20)),
    st.builds(vreg.PathValue, numbers, numbers, raw_items),
    st.builds(vreg.PathValueResponse, numbers, numbers, numbers),
)

characteristics = st.sampled_from(list(DataCharacteristic))
control_frames = st.sampled_from([bytes.fromhex(h) for h in ("f900", "f901", "f9ff", "fa80ff", "fa14", "f8", "f70300")])
chunks = st.one_of(
    st.tuples(characteristics, st.binary(max_size=60)),
    st.tuples(st.just(DataCharacteristic.CONTROL), control_frames),
    st.tuples(st.just(DataCharacteristic.LAST), messages.map(grammar.build_message)),
)
mtus = st.integers(23, 517)

# ── messages ─────────────────────────────────────────────────────────────────


@given(st.lists(messages, max_size=6))
def test_messages_read_back_as_they_were_built(sent: list[Message]) -> None:
    assert grammar.parse_messages(b"".join(map(grammar.build_message, sent))) == sent


@given(messages)
def test_every_cut_of_a_message_is_malformed_or_shorter_messages(message: Message) -> None:
    whole = grammar.build_message(message)
    for size in range(1, len(whole)):
        found, fault = grammar.read_messages(whole[:size])
        # Only the array behind a Subscribe may be missing.
        assert fault is not None or all(isinstance(record, Subscribe) for record in found)
        assert fault is None or found == []


@given(st.binary(max_size=120))
def test_random_bytes_raise_nothing_but_malformed(data: bytes) -> None:
    found, fault = grammar.read_messages(data)
    assert grammar.parse_messages(b"".join(map(grammar.build_message, found))) == found
    if fault is not None:
        with pytest.raises(Malformed) as caught:
            grammar.parse_messages(data)
        assert caught.value.good == tuple(found)


@given(st.binary(max_size=12))
def test_random_control_bytes_raise_nothing(data: bytes) -> None:
    frame = parse_control(data)
    assert parse_control(build_control(frame)) == frame
    try:
        parse_header(data)
    except Malformed:
        assert len(data) < 5


@given(st.lists(messages, max_size=6), st.integers(20, 514))
def test_any_chunk_size_puts_together_what_it_cut(sent: list[Message], size: int) -> None:
    whole = b"".join(map(grammar.build_message, sent))
    inbox = Inbox()
    *bulk, last = cut(whole, size)
    for write in bulk:
        assert write.characteristic is DataCharacteristic.BULK
        assert len(write.data) == size
        assert inbox.receive(write.characteristic, write.data) is None
    assert inbox.receive(last.characteristic, last.data) == sent
    assert inbox.pending == b""


@given(st.lists(messages, min_size=1, max_size=6), st.data())
def test_cuts_fall_anywhere(sent: list[Message], data: st.DataObject) -> None:
    whole = b"".join(map(grammar.build_message, sent))
    cuts = sorted(data.draw(st.sets(st.integers(0, len(whole)), max_size=8)))
    pieces = [whole[a:b] for a, b in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
    session = client()
    for piece in pieces[:-1]:
        assert session.receive(DataCharacteristic.BULK, piece, 0.0) == ()
    assert session.receive(DataCharacteristic.LAST, pieces[-1], 0.0) == sent


@given(st.integers(1, 40), st.binary(min_size=1, max_size=300))
def test_an_endless_bulk_sequence_takes_bounded_memory_and_one_message(count: int, chunk: bytes) -> None:
    inbox = Inbox()
    for _ in range(count):
        inbox.receive(DataCharacteristic.BULK, chunk)
        assert len(inbox.pending) <= LONGEST_MESSAGE
    received = inbox.receive(DataCharacteristic.LAST, b"\xff")
    assert isinstance(received, ProtocolError) or count * len(chunk) < LONGEST_MESSAGE
    assert inbox.receive(DataCharacteristic.LAST, b"\x01") == [GetDevices()]


# ── one session and a hostile other side ─────────────────────────────────────


class Store:
    """Registers 0 to 99 of the instances 0, 1 and 3; the content tells the register, so a mixed-up value shows."""

    def __init__(self) -> None:
        self.written: dict[tuple[int, int], bytes] = {}

    def devices(self) -> Sequence[tuple[int, int]]:
        return ((0, 0), (1, 0), (3, 1))

    def get(self, instance: int, register: int) -> bytes | int:
        if register >= 100 or instance not in dict(self.devices()):
            return ResultCode.UNKNOWN_REGISTER
        return self.written.get((instance, register), content(instance, register))

    def set(self, instance: int, register: int, value: bytes) -> bytes | int:
        if register >= 100 or instance not in dict(self.devices()):
            return ResultCode.UNKNOWN_REGISTER
        self.written[instance, register] = value
        return value


def content(instance: int, register: int) -> bytes:
    """Distinct for each register, of many lengths."""
    return bytes((instance, register)) + bytes((register * 7 + i) & 0xFF for i in range(register % 45))


def client() -> Session:
    return Session(ClientSide())


def device() -> Session:
    return Session(DeviceSide(Store(), NEW))


@pytest.mark.parametrize("make", [client, device])
@given(data=st.data())
def test_random_chunks_raise_nothing(make: Callable[[], Session], data: st.DataObject) -> None:
    session, now = make(), 0.0
    session.mtu = data.draw(mtus)
    session.open(now)
    for characteristic, chunk in data.draw(st.lists(chunks, max_size=20)):
        now += data.draw(st.sampled_from([0.0, 0.1, 5.0]))
        for event in session.receive(characteristic, chunk, now):
            assert isinstance(event, Event)
        if data.draw(st.booleans()):
            session.send(GetValues(0, (1, 2)), now)
        session.on_time(now)
        deadline = session.deadline()
        assert deadline is None or deadline > now, "its owner would call without end"
        for write in session.take_writes():
            assert len(write.data) <= session.mtu - 3
        assert session.waiting <= 1024


@given(st.lists(chunks, max_size=20), st.sampled_from(list(Role)))
def test_an_observer_raises_nothing_on_random_chunks(
    sequence: list[tuple[DataCharacteristic, bytes]], sender: Role
) -> None:
    observer = Observer()
    for characteristic, chunk in sequence:
        for event in observer.receive(sender, characteristic, chunk):
            assert isinstance(event, Event)


# ── two sessions head to tail ────────────────────────────────────────────────

GOOD, LOSE, DOUBLE = "good", "lose", "double"


@dataclass
class Pair:
    """A client and a device with a link between them that obeys `faults`: what to do with each data chunk in turn."""

    mtu: int
    personality: Personality
    read_header: bool = True
    faults: list[str] = field(default_factory=list)
    now: float = 0.0
    heard: list[Event] = field(default_factory=list)
    wholes: list[bytes] = field(default_factory=list)
    expired: bool = False

    def __post_init__(self) -> None:
        self.store = Store()
        self.side = ClientSide()
        self.client = Session(self.side, mtu=self.mtu)
        self.device_side = DeviceSide(self.store, self.personality)
        self.device = Session(self.device_side, mtu=self.mtu)
        self.steps = 0

    def connect(self) -> None:
        self.air: list[tuple[Role, ChunkWrite]] = []
        self._buffer = b""
        if self.read_header:
            self.side.read_header(HEADERS[id(self.personality)])
        self._put(Role.DEVICE, self.device.open(self.now))
        self._put(Role.CLIENT, self.client.open(self.now))

    def send(self, message: Message) -> None:
        self._put(Role.CLIENT, self.client.send(message, self.now))

    def publish(self, instance: int, register: int) -> None:
        self._put(
            Role.DEVICE, self.device.send(ValueMessage(instance, register, content(instance, register)), self.now)
        )

    def _put(self, sender: Role, writes: Sequence[ChunkWrite]) -> None:
        for write in writes:
            assert len(write.data) <= self.mtu - 3
            fault = (
                self.faults.pop(0) if self.faults and write.characteristic is not DataCharacteristic.CONTROL else GOOD
            )
            self.air += [(sender, write)] * {GOOD: 1, LOSE: 0, DOUBLE: 2}[fault]

    def deliver(self) -> None:
        """Carry all that is on the air and all that it causes."""
        while self.air:
            self.steps += 1
            assert self.steps < 20_000, "the two sessions never come to rest"
            sender, write = self.air.pop(0)
            receiver, role = (self.device, Role.DEVICE) if sender is Role.CLIENT else (self.client, Role.CLIENT)
            if role is Role.CLIENT:
                self._note(write)
            events = receiver.receive(write.characteristic, write.data, self.now)
            if role is Role.CLIENT:
                self.heard += events
            self._put(role, receiver.take_writes())

    def _note(self, write: ChunkWrite) -> None:
        """What arrived at the client, put together independently of the session."""
        if write.characteristic is not DataCharacteristic.CONTROL:
            self._buffer += write.data
            if write.characteristic is DataCharacteristic.LAST:
                self.wholes.append(self._buffer)
                self._buffer = b""

    def run(self, seconds: float) -> None:
        """Let time pass, deadline by deadline."""
        end = self.now + seconds
        self.deliver()
        while True:
            deadlines = [(session.deadline(), session) for session in (self.client, self.device)]
            due = [(at, session) for at, session in deadlines if at is not None and at <= end]
            if self.expired or not due:
                break
            self.steps += 1
            assert self.steps < 20_000, "a deadline does not move on"
            at, session = min(due, key=lambda pair: pair[0])
            self.now = max(self.now, at)
            events = session.on_time(self.now)
            if any(isinstance(event, Expired) for event in events):
                self.expired = True
            self.heard += events if session is self.client else ()
            self._put(session.role, session.take_writes())
            self.deliver()
        self.now = end

    def values(self) -> list[ValueMessage]:
        return [event for event in self.heard if isinstance(event, ValueMessage)]


def _header_of(personality: Personality) -> bytes:
    from bluewatt.wire.victronconnect.control import build_header

    return build_header(personality.header)


STUBBORN = Personality(CHARGER.header, dialects=frozenset({True}), silent=True)
"""Understands indefinite arrays only, and disconnects who writes no keep-alive."""

PERSONALITIES = (NEW, OLD, CHARGER, STUBBORN)
HEADERS = {id(personality): _header_of(personality) for personality in PERSONALITIES}

requests = st.lists(
    st.one_of(
        st.builds(
            GetValues, st.sampled_from([0, 1, 3]), st.lists(st.integers(0, 120), min_size=1, max_size=30).map(tuple)
        ),
        st.builds(SetValues, st.sampled_from([0, 1]), st.tuples(st.tuples(st.integers(0, 120), st.binary(max_size=8)))),
        st.just(GetDevices()),
        st.builds(Subscribe, st.sampled_from([0, 1, 3])),
    ),
    max_size=8,
)
faults = st.lists(st.sampled_from([GOOD, GOOD, GOOD, GOOD, LOSE, DOUBLE]), max_size=60)


@given(mtus, st.sampled_from(PERSONALITIES), st.booleans(), requests)
def test_a_clean_link_answers_every_question(
    mtu: int, personality: Personality, read_header: bool, asked: list[Message]
) -> None:
    pair = Pair(mtu, personality, read_header)
    pair.connect()
    pair.send(Subscribe(3))
    reads = [m for m in asked if isinstance(m, GetValues)]
    for message in (m for m in asked if not isinstance(m, SetValues)):
        pair.send(message)
    pair.run(30.0)
    answered = {(e.instance, e.register) for e in pair.heard if isinstance(e, vreg.ValueMessage | vreg.ValueResponse)}
    assert {(m.instance, register) for m in reads for register in m.registers} <= answered
    assert 3 in pair.device_side.subscriptions
    assert not any(isinstance(event, ProtocolError) for event in pair.heard)
    assert all(v.value == content(v.instance, v.register) for v in pair.values() if v.register != 0x93)
    assert not pair.expired
    assert pair.client.waiting == pair.device.waiting == 0


@given(mtus, st.sampled_from(PERSONALITIES), requests, faults)
@settings(max_examples=max(150, settings().max_examples))
def test_a_bad_link_never_hangs_and_never_makes_up_a_value(
    mtu: int, personality: Personality, asked: list[Message], plan: list[str]
) -> None:
    pair = Pair(mtu, personality, faults=plan)
    pair.connect()
    for number, message in enumerate(asked):
        pair.send(message)
        pair.publish(0, number)
        pair.run(1.0)
    pair.run(30.0)
    # What the client took for said is exactly what arrived in messages that parse whole.
    expected: list[Message] = []
    for whole in pair.wholes:
        try:
            expected += grammar.parse_messages(whole)
        except Malformed:
            continue
    assert [event for event in pair.heard if isinstance(event, Message)] == expected
    errors = sum(isinstance(event, ProtocolError) for event in pair.heard)
    assert errors == sum(1 for whole in pair.wholes if grammar.read_messages(whole)[1] is not None)


# The keep-alive shared a message of two chunks with reads: with one chunk lost each time, the device heard none.
@example(
    23,
    [GetValues(0, (0,)), GetValues(0, (0,)), GetValues(0, (0, 24)), GetDevices(), GetValues(0, (0,))],
    [GOOD, LOSE, GOOD, LOSE],
)
@given(mtus, requests, faults)
def test_the_stream_resynchronises_once_the_link_is_good_again(mtu: int, asked: list[Message], plan: list[str]) -> None:
    pair = Pair(mtu, NEW, faults=plan)
    pair.connect()
    for message in asked:
        pair.send(message)
    pair.run(5.0)
    pair.faults.clear()
    pair.run(5.0)  # the keep-alive goes through and ends what a lost last chunk left open on both ways
    pair.store.written.clear()
    pair.heard.clear()
    pair.send(GetValues(0, (7, 44)))
    pair.run(9.0)
    values = pair.values()
    assert not pair.expired
    assert ValueMessage(0, 7, content(0, 7)) in values
    assert ValueMessage(0, 44, content(0, 44)) in values


@given(mtus, requests, st.lists(st.sampled_from([GOOD, LOSE]), max_size=20))
def test_reconnection_begins_afresh(mtu: int, asked: list[Message], plan: list[str]) -> None:
    pair = Pair(mtu, OLD, faults=plan)
    pair.connect()
    for message in asked:
        pair.send(message)
    for _ in range(len(plan)):
        if pair.air:
            sender, write = pair.air.pop(0)
            receiver = pair.device if sender is Role.CLIENT else pair.client
            receiver.receive(write.characteristic, write.data, pair.now)
            pair._put(receiver.role, receiver.take_writes())
    pair.faults.clear()
    pair.store.written.clear()
    pair.connect()
    assert pair.client.pending == pair.device.pending == b""
    pair.heard.clear()
    pair.send(GetValues(0, (44,)))
    pair.run(9.0)
    assert [v for v in pair.values() if v.register == 44] == [ValueMessage(0, 44, content(0, 44))]
    assert not any(isinstance(event, ProtocolError) for event in pair.heard)


@given(st.integers(1, 600))
def test_credit_never_runs_dry_for_a_client_that_listens(count: int) -> None:
    pair = Pair(23, OLD)
    pair.connect()
    pair.send(Subscribe(0))
    pair.run(1.0)
    for number in range(count):
        pair.publish(0, number % 90)
        pair.deliver()
    assert len(pair.values()) == count
    assert pair.device.credit > 0


@given(st.integers(1, 90), st.integers(1, 5))
def test_without_credit_the_newest_value_of_each_register_waits(registers: int, rounds: int) -> None:
    session = device()
    session.open(0.0)
    session.receive(DataCharacteristic.LAST, grammar.build_message(Subscribe(0)), 0.0)
    session.receive(DataCharacteristic.CONTROL, build_control(Grant(1)), 0.0)
    session.take_writes()
    for turn in range(rounds):
        for register in range(registers):
            assert session.send(ValueMessage(0, register, bytes([turn])), 0.0) == []
    assert session.waiting == registers
    session.receive(DataCharacteristic.CONTROL, build_control(Grant(200)), 0.0)
    inbox, values = Inbox(), list[Message]()
    for write in session.take_writes():
        if write.characteristic is not DataCharacteristic.CONTROL:
            received = inbox.receive(write.characteristic, write.data)
            values += received if isinstance(received, list) else []
    assert values == [ValueMessage(0, register, bytes([rounds - 1])) for register in range(registers)]


@given(st.binary(min_size=1, max_size=60))
def test_a_device_says_so_when_it_does_not_understand(data: bytes) -> None:
    session = device()
    session.open(0.0)
    session.receive(DataCharacteristic.CONTROL, build_control(Grant(255)), 0.0)
    session.take_writes()
    (*events,) = session.receive(DataCharacteristic.LAST, data, 0.0)
    frames = [parse_control(w.data) for w in session.take_writes() if w.characteristic is DataCharacteristic.CONTROL]
    assert frames[0] == Grant(1)
    understood = (GetDevices, Subscribe, vreg.Unsubscribe, GetValues, SetValues)
    refused = any(not isinstance(event, understood) for event in events)
    assert (Failure(3) in frames) == refused
    assert msgspec.to_builtins(session.waiting) == 0
