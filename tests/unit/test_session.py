"""Credits, keep-alive, dialects, deadlines: the session's rules one by one."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from bluewatt.errors import Malformed, Unencodable
from bluewatt.tables.gatt import DataCharacteristic, ResultCode
from bluewatt.wire.victronconnect.client import ClientSide
from bluewatt.wire.victronconnect.control import (
    Drop,
    Failure,
    Grant,
    Header,
    Limits,
    UnknownControl,
    build_control,
    parse_control,
)
from bluewatt.wire.victronconnect.device import CHARGER, INVERTER, NEW, OLD, DeviceSide, Personality, Withheld
from bluewatt.wire.victronconnect.events import DialectChanged, Event, Expired, Role, Stalled, Unanswered
from bluewatt.wire.victronconnect.grammar import build_message
from bluewatt.wire.victronconnect.messages import (
    DeviceList,
    GetDevices,
    GetPathList,
    GetValues,
    GetValuesAlternate,
    Message,
    Response,
    SetValues,
    SetValuesAlternate,
    Subscribe,
    Unsubscribe,
    ValueMessage,
    ValueResponse,
)
from bluewatt.wire.victronconnect.reassembly import ChunkWrite, Inbox, ProtocolError
from bluewatt.wire.victronconnect.session import Session

CONTROL, LAST, BULK = DataCharacteristic.CONTROL, DataCharacteristic.LAST, DataCharacteristic.BULK
KEEP_ALIVE = SetValues(0, ((0x93, b"\x10\x27"),))
HEADER_77 = bytes.fromhex("00040001de4a00")
HEADER_20 = bytes.fromhex("00010001501400")
STUBBORN = Personality(Header(protocol_version=1, max_message=80), dialects=frozenset({True}), silent=True)
"""Understands indefinite arrays only, and disconnects who writes no keep-alive."""


class Store:
    """Registers 1 to 4 of instance 0 and register 5 of instance 3; 2 refuses writes."""

    def __init__(self) -> None:
        self.content = {(0, 1): b"\x11", (0, 2): b"\x22\x22", (0, 3): bytes(34), (0, 4): b"\x44", (3, 5): b"\x55"}

    def devices(self) -> Sequence[tuple[int, int]]:
        return ((0, 0), (1, 0), (3, 1))

    def get(self, instance: int, register: int) -> bytes | int:
        return self.content.get((instance, register), ResultCode.UNKNOWN_REGISTER)

    def set(self, instance: int, register: int, value: bytes) -> bytes | int:
        if register == 2:
            return ResultCode.ACCESS_REFUSED
        self.content[instance, register] = value
        return value


def control(session: Session, data: str, now: float = 0.0) -> Sequence[Event]:
    return session.receive(CONTROL, bytes.fromhex(data), now)


def tell(session: Session, *messages: Message, now: float = 0.0) -> Sequence[Event]:
    return session.receive(LAST, b"".join(map(build_message, messages)), now)


def frames(writes: Sequence[ChunkWrite]) -> list[object]:
    """What writes say, frame by frame and message by message: a list of records for each message."""
    inbox, found = Inbox(), list[object]()
    for write in writes:
        if write.characteristic is CONTROL:
            found.append(parse_control(write.data))
        elif (received := inbox.receive(write.characteristic, write.data)) is not None:
            found.append(received)
    assert inbox.pending == b""
    return found


def open_client(side: ClientSide | None = None, *, header: bytes = HEADER_77, mtu: int = 77) -> Session:
    """A client whose device granted the first slot; what it wrote so far is taken away."""
    side = side or ClientSide(keep_alive=None)
    side.read_header(header)
    session = Session(side, mtu=mtu)
    session.open(0.0)
    control(session, "f901")
    return session


def open_device(personality: Personality = NEW, *, credit: int = 200) -> tuple[Session, Store]:
    store = Store()
    session = Session(DeviceSide(store, personality), mtu=77)
    session.open(0.0)
    if credit:
        session.receive(CONTROL, bytes.fromhex("fa80ff"), 0.0)
        session.receive(CONTROL, build_control(Grant(credit)), 0.0)
        assert frames(session.take_writes()) == [Grant(1)]
    return session, store


# the client's credits


def test_a_client_opens_with_its_limits_and_a_grant() -> None:
    session = Session(ClientSide())
    assert frames(session.open(0.0)) == [Limits(128, 255), Grant(128)]
    assert session.role is Role.CLIENT
    assert (session.given, session.credit) == (128, 0)


def test_limits_may_be_left_out_for_a_device_that_drops_on_them() -> None:
    assert frames(Session(ClientSide(announce=None)).open(0.0)) == [Grant(128)]


def test_a_client_ignores_limits_that_a_device_sends() -> None:
    session = open_client()
    before = session.max_message
    control(session, "fa0105")
    assert session.peer_limits is None
    assert session.max_message == before > 5
    session.take_writes()
    assert frames(session.send(GetValues(3, (0xED8D, 0xED8C, 0xEDDA)), 0.0)) == [
        [GetValues(3, (0xED8D, 0xED8C, 0xEDDA))]
    ], "one message, as long as the device's header allows"


def test_a_client_waits_for_the_slot_before_each_message() -> None:
    session = Session(ClientSide(keep_alive=None))
    session.open(0.0)
    assert session.send(GetDevices(), 0.0) == []
    control(session, "f901", 0.1)
    assert frames(session.take_writes()) == [[GetDevices()]]
    assert session.send(Subscribe(0), 0.2) == []
    assert session.send(Subscribe(3), 0.2) == []
    control(session, "f901", 0.3)
    assert frames(session.take_writes()) == [[Subscribe(0), Subscribe(3)]], "what waits is packed"


def test_a_client_tops_up_after_sixty_five_messages_however_they_are_cut() -> None:
    session = open_client()
    session.take_writes()
    value = build_message(ValueMessage(3, 0x104F, bytes(34)))
    for number in range(1, 195):
        for characteristic, chunk in ((BULK, value[:20]), (BULK, value[20:40]), (LAST, value[40:])):
            session.receive(characteristic, chunk, 0.0)
        expected = [Grant(65)] if number % 65 == 0 else []
        assert frames(session.take_writes()) == expected, number


def test_a_damaged_message_uses_credit_too() -> None:
    session = open_client()
    session.take_writes()
    for _ in range(65):
        session.receive(LAST, b"\x08", 0.0)
    assert frames(session.take_writes()) == [Grant(65)]


def test_a_doubled_grant_does_not_let_two_messages_into_one_slot() -> None:
    session = open_client()
    session.take_writes()
    control(session, "f901")
    control(session, "f901")
    assert session.credit == 1


def test_a_device_that_never_grants_is_paced_by_its_answers() -> None:
    session = Session(ClientSide(keep_alive=None))
    session.open(0.0)
    session.send(GetDevices(), 0.0)
    assert session.deadline() == 1.0
    assert session.on_time(0.9) == []
    assert session.on_time(1.0) == [Stalled(1.0)]
    assert frames(session.take_writes()) == [[GetDevices()]]
    assert session.send(Subscribe(0), 1.1) == []
    tell(session, DeviceList(((0, 0),)), now=1.2)
    assert frames(session.take_writes()) == [[Subscribe(0)]]
    session.send(Subscribe(3), 1.3)
    assert session.deadline() == 5.2
    assert session.on_time(5.2) == [], "said once"
    assert frames(session.take_writes()) == [[Subscribe(3)]]


def test_a_lost_grant_costs_one_timeout() -> None:
    session = open_client()
    session.send(Subscribe(0), 10.0)
    session.send(Subscribe(3), 10.0)
    assert session.deadline() == 14.0
    assert session.on_time(14.0) == [Stalled(4.0)]
    assert frames(session.take_writes()) == [[Subscribe(3)]]


# length and chunks


def test_packing_keeps_to_the_longest_message_of_the_device() -> None:
    session = open_client(header=HEADER_20)
    session.credit = 0
    asked = [GetValues(0, (0xEC00 + number,)) for number in range(40)]
    for message in asked:
        assert session.send(message, 0.0) == []
    sent: list[Message] = []
    while session.waiting:
        control(session, "f901")
        writes = session.take_writes()
        assert sum(len(write.data) for write in writes) <= 80
        assert [write.characteristic for write in writes] == [BULK] * (len(writes) - 1) + [LAST]
        assert all(len(write.data) <= 20 for write in writes)
        (received,) = frames(writes)
        assert isinstance(received, list)
        sent += received
    assert sent == asked


def test_a_message_of_just_the_longest_length_is_one_message() -> None:
    for length, messages in ((74, 1), (75, 2)):
        session = open_client(header=HEADER_20)
        session.side.dialect_proven = True  # type: ignore[attr-defined]
        session.credit = 0
        session.send(SetValues(0, ((1, bytes(length - 6)),)), 0.0)
        session.send(GetValues(0, (0xED8D,)), 0.0)
        control(session, "f901")
        control(session, "f901")
        assert len(frames(session.take_writes())) == messages


def test_a_long_list_of_registers_is_split() -> None:
    session = open_client(header=HEADER_20)
    registers = tuple(range(0x1000, 0x1064))
    found: list[int] = []
    writes = session.send(GetValues(3, registers), 0.0)
    while writes:
        assert sum(len(write.data) for write in writes) <= 80
        (received,) = frames(writes)
        assert isinstance(received, list)
        found += [register for message in received for register in message.registers]
        control(session, "f901")
        writes = session.take_writes()
    assert tuple(found) == registers


def test_a_write_the_device_cannot_take_is_refused_before_it_is_queued() -> None:
    session = open_client(header=HEADER_20)
    with pytest.raises(Unencodable, match="takes 80"):
        session.send(SetValues(0, ((0x010C, bytes(100)),)), 0.0)
    assert session.waiting == 0


def test_chunks_keep_to_the_smaller_of_mtu_and_header() -> None:
    assert open_client(mtu=247).chunk_size == 74
    assert open_client(mtu=50).chunk_size == 47
    assert Session(ClientSide(), mtu=247).chunk_size == 20, "no header read"


def test_path_calls_travel_alone() -> None:
    session = open_client()
    session.credit = 0
    for message in (Subscribe(0), GetPathList(3), Subscribe(3)):
        session.send(message, 0.0)
    sent = []
    for _ in range(3):
        control(session, "f901")
        sent += frames(session.take_writes())
    assert sent == [[Subscribe(0)], [GetPathList(3)], [Subscribe(3)]]


def test_an_empty_header_is_malformed() -> None:
    with pytest.raises(Malformed):
        ClientSide().read_header(b"")


# keep-alive


def test_the_keep_alive_comes_first_and_every_third_of_its_time() -> None:
    session = open_client(ClientSide())
    assert frames(session.take_writes())[-1] == [KEEP_ALIVE]
    control(session, "f901", 0.1)
    tell(session, ValueMessage(0, 0x93, b"\x10\x27"), now=0.1)
    assert session.deadline() == pytest.approx(10 / 3)
    session.on_time(3.3)
    assert session.take_writes() == []
    session.on_time(3.34)
    assert frames(session.take_writes()) == [[KEEP_ALIVE]]


def test_a_due_keep_alive_goes_in_front_of_what_waits() -> None:
    session = open_client(ClientSide())
    session.take_writes()
    tell(session, ValueMessage(0, 0x93, b"\x10\x27"), now=0.1)
    session.send(GetDevices(), 3.0)
    control(session, "f901", 4.0)
    assert frames(session.take_writes()) == [[KEEP_ALIVE]], "alone: with others it could be cut, and a chunk be lost"
    control(session, "f901", 4.1)
    assert frames(session.take_writes()) == [[GetDevices()]]


def test_a_keep_alive_that_had_to_wait_does_not_put_off_the_next() -> None:
    session = open_client(ClientSide())
    session.take_writes()
    tell(session, ValueMessage(0, 0x93, b"\x10\x27"), now=0.1)
    control(session, "f901", 0.1)
    session.send(GetDevices(), 3.3)  # its grant is lost, so the slot is given up at 7.3
    session.take_writes()
    session.on_time(7.3)
    assert frames(session.take_writes()) == [[KEEP_ALIVE]]
    control(session, "f901", 7.4)
    tell(session, ValueMessage(0, 0x93, b"\x10\x27"), now=7.4)
    assert session.deadline() == pytest.approx(10.0)
    session.on_time(10.0)
    assert frames(session.take_writes()) == [[KEEP_ALIVE]]


def test_while_no_dialect_is_proven_arrays_do_not_take_others_with_them() -> None:
    session = open_client(ClientSide())
    session.take_writes()
    write = SetValues(0, ((4, b"\x01"),))
    records = (GetDevices(), Subscribe(0), GetValues(0, (1,)), GetValues(0, (2,)), write, write, Subscribe(3))
    for message in records:
        session.send(message, 0.1)
    sent = []
    while session.waiting:
        control(session, "f901", 0.2)
        sent += frames(session.take_writes())
    together = [
        [GetDevices(), Subscribe(0)],
        [GetValues(0, (1,)), GetValues(0, (2,))],
        [write],
        [write],
        [Subscribe(3)],
    ]
    assert sent == together


def test_a_device_that_answers_code_one_is_left_alone() -> None:
    side = ClientSide()
    session = open_client(side)
    assert session.deadline() is not None
    control(session, "f901", 0.1)
    tell(session, ValueResponse(0, 0x93, 1), now=0.1)
    session.take_writes()
    assert not side.keeps_alive
    assert session.deadline() is None
    session.on_time(60.0)
    assert session.take_writes() == []


def test_another_keep_alive_time() -> None:
    session = open_client(ClientSide(keep_alive=3.0))
    assert frames(session.take_writes())[-1] == [SetValues(0, ((0x93, b"\xb8\x0b"),))]
    control(session, "f901", 0.1)
    tell(session, ValueMessage(0, 0x93, b"\xb8\x0b"), now=0.1)
    assert session.deadline() == 1.0


# dialect


def test_a_refused_write_is_written_again_in_the_other_dialect() -> None:
    session = open_client()
    session.send(SetValues(0, ((4, b"\x01"),)), 0.0)
    session.take_writes()
    control(session, "f901", 0.1)
    control(session, "f70300", 0.1)
    assert frames(session.take_writes()) == [[SetValues(0, ((4, b"\x01"),), indefinite=True)]]


def test_a_write_without_answer_is_never_written_again() -> None:
    session = open_client()
    session.send(SetValues(0, ((4, b"\x01"),)), 0.0)
    session.take_writes()
    control(session, "f901", 0.1)
    session.on_time(60.0)
    assert session.take_writes() == []


def test_a_failure_makes_the_client_try_the_other_dialect_with_everything_in_the_message() -> None:
    side = ClientSide(keep_alive=None)
    session = open_client(side)
    session.credit = 0
    session.send(GetValues(0, (1,)), 0.0)
    session.send(GetValues(0, (2,)), 0.0)
    control(session, "f901")
    session.take_writes()
    control(session, "f901", 0.1)
    assert control(session, "f70300", 0.1) == [Failure(3), DialectChanged(indefinite=True)]
    again = [GetValues(0, (1,), indefinite=True), GetValues(0, (2,), indefinite=True)]
    assert frames(session.take_writes()) == [again]
    control(session, "f901", 0.2)
    assert control(session, "f70300", 0.2) == [Failure(3)], "each question is put once in each dialect"
    assert session.take_writes() == []


def test_silence_makes_the_client_ask_again_in_the_other_dialect_and_then_give_up() -> None:
    side = ClientSide(keep_alive=None)
    session = open_client(side)
    session.take_writes()
    session.send(GetValues(0, (0xEC66, 0xEC65)), 1.0)
    control(session, "f901", 1.1)
    assert session.deadline() == 5.0
    assert session.on_time(4.9) == []
    assert session.on_time(5.0) == [DialectChanged(indefinite=True)]
    (again,) = frames(session.take_writes())
    assert again == [GetValues(0, (0xEC66, 0xEC65), indefinite=True)]
    control(session, "f901", 5.1)
    events = session.on_time(9.0)
    assert events == [Unanswered(((0, 0xEC66), (0, 0xEC65))), DialectChanged(indefinite=False)]
    assert frames(session.take_writes()) == [Grant(65)], "its credit may have been lost on the way"
    assert session.deadline() is None


def test_an_answer_proves_the_dialect() -> None:
    side = ClientSide(keep_alive=None)
    session = open_client(side)
    session.send(GetValues(0, (1,)), 0.0)
    control(session, "f901")
    tell(session, ValueMessage(0, 1, b"\x11"))
    assert side.dialect_proven
    session.send(GetValues(0, (2,)), 1.0)
    control(session, "f901", 1.0)
    assert control(session, "f70300", 1.0) == [Failure(3)]
    assert session.on_time(5.0) == [Unanswered(((0, 2),))]
    assert side.indefinite is False


def test_a_pushed_value_proves_nothing() -> None:
    side = ClientSide(keep_alive=None)
    session = open_client(side)
    for message in (Subscribe(3), GetValues(3, (0xED8D,))):
        session.send(message, 0.0)
        control(session, "f901")
    tell(session, ValueMessage(3, 0xED8D, b"\x00\x00"))
    assert not side.dialect_proven


def test_a_response_to_the_request_is_an_answer() -> None:
    side = ClientSide(keep_alive=None)
    session = open_client(side)
    session.send(GetValues(0, (0xEC65,)), 0.0)
    control(session, "f901")
    tell(session, Response(0xEC65, 5, 2))
    assert side.dialect_proven
    assert session.deadline() is None


def test_a_dialect_may_be_remembered() -> None:
    session = open_client(ClientSide(keep_alive=None, indefinite=True))
    assert frames(session.send(GetValues(0, (1,)), 0.0))[-1] == [GetValues(0, (1,), indefinite=True)]


def test_the_first_keep_alive_finds_the_dialect_before_a_charger_disconnects() -> None:
    device = Session(DeviceSide(Store(), STUBBORN))
    side = ClientSide()
    client = Session(side)
    air = [(device, write) for write in client.open(0.0)] + [(client, write) for write in device.open(0.0)]
    now, events = 0.0, list[Event]()
    while now < 60.0:
        while air:
            session, write = air.pop(0)
            session.receive(write.characteristic, write.data, now)
            air += [(client if session is device else device, w) for w in session.take_writes()]
        now += 0.5
        for session in (client, device):
            events += session.on_time(now)
            air += [(client if session is device else device, w) for w in session.take_writes()]
    assert events == [DialectChanged(indefinite=True)]
    assert side.dialect_proven
    assert side.indefinite


# damage and control


def test_a_client_takes_no_value_from_a_damaged_message_and_goes_on() -> None:
    session = open_client()
    whole = build_message(ValueMessage(0, 1, b"\x11"))
    (error,) = session.receive(LAST, whole + b"\x08\x00", 0.0)
    assert isinstance(error, ProtocolError)
    assert error.good == (ValueMessage(0, 1, b"\x11"),)
    assert error.data == whole + b"\x08\x00"
    assert tell(session, ValueMessage(0, 2, b"")) == [ValueMessage(0, 2, b"")]


def test_a_bulk_chunk_never_ended_spoils_the_next_message_only() -> None:
    session = open_client()
    assert session.receive(BULK, bytes.fromhex("0500"), 0.0) == ()
    assert session.pending == b"\x05\x00"
    (error,) = tell(session, ValueMessage(0, 1, b"\x11"))
    assert isinstance(error, ProtocolError)
    assert tell(session, ValueMessage(0, 1, b"\x11")) == [ValueMessage(0, 1, b"\x11")]


def test_a_drop_frame_forgets_what_is_pending() -> None:
    session = open_client()
    session.receive(BULK, b"\x05", 0.0)
    assert control(session, "f8") == [Drop()]
    assert session.pending == b""


def test_a_new_connection_forgets_everything() -> None:
    side = ClientSide()
    session = open_client(side)
    session.send(GetValues(0, (1,)), 0.0)
    session.receive(BULK, b"\x05", 0.0)
    assert frames(session.open(100.0)) == [Limits(128, 255), Grant(128)]
    assert (session.pending, session.waiting, session.credit, session.given) == (b"", 0, 0, 128)
    assert session.deadline() == 101.0


# the device


def test_a_device_grants_once_after_the_first_grant_and_then_per_message_before_the_answer() -> None:
    session, _ = open_device(credit=0)
    assert control(session, "fa80ff") == [Limits(128, 255)]
    assert session.take_writes() == []
    control(session, "f980")
    assert frames(session.take_writes()) == [Grant(1)]
    control(session, "f941")
    assert session.take_writes() == []
    assert session.credit == 0x80 + 0x41
    tell(session, GetDevices())
    assert frames(session.take_writes()) == [Grant(1), [DeviceList(((0, 0), (1, 0), (3, 1)))]]


def test_the_device_list_has_the_captured_bytes() -> None:
    session, _ = open_device()
    tell(session, GetDevices())
    assert session.take_writes()[-1] == ChunkWrite(LAST, bytes.fromhex("029f000001000301ff"))


def test_subscribing() -> None:
    session, _ = open_device()
    tell(session, Subscribe(3), Subscribe(9))
    assert frames(session.take_writes()) == [Grant(1), [Response(0, 3, 0)], [Response(9, 3, 2)]]
    assert frames(session.send(ValueMessage(3, 5, b"\x56"), 0.0)) == [[ValueMessage(3, 5, b"\x56")]]
    assert session.send(ValueMessage(0, 1, b"\x12"), 0.0) == [], "nobody subscribed to instance 0"
    tell(session, Unsubscribe(3))
    assert frames(session.take_writes()) == [Grant(1), [Response(0, 4, 0)]]
    assert session.send(ValueMessage(3, 5, b"\x57"), 0.0) == []


def test_instance_three_is_unknown_until_it_is_subscribed() -> None:
    session, store = open_device()
    tell(session, GetValues(3, (5,)), SetValues(3, ((5, b"\x99"),)))
    assert frames(session.take_writes()) == [Grant(1), [ValueResponse(3, 5, 1)], [ValueResponse(3, 5, 1)]]
    assert store.content[3, 5] == b"\x55"
    tell(session, Subscribe(3), GetValues(3, (5,)))
    assert frames(session.take_writes())[1:] == [[Response(0, 3, 0)], [ValueMessage(3, 5, b"\x55")]]


def test_reading_and_writing_answer_in_order() -> None:
    session, store = open_device()
    tell(session, GetValues(0, (1, 99, 2)), SetValues(0, ((1, b"\x77"), (2, b"\x00\x00"))), GetValues(0, (1, 1)))
    assert frames(session.take_writes()) == [
        Grant(1),
        [ValueMessage(0, 1, b"\x11"), ValueResponse(0, 99, 1), ValueMessage(0, 2, b"\x22\x22")],
        [ValueMessage(0, 1, b"\x77"), ValueResponse(0, 2, 3)],
        [ValueMessage(0, 1, b"\x77"), ValueMessage(0, 1, b"\x77")],
    ]
    assert store.content[0, 1] == b"\x77"


def test_each_request_of_one_message_is_answered_in_a_message_of_its_own_but_on_instance_one() -> None:
    session, _ = open_device()
    before = session.credit
    tell(session, *(GetValues(0, (number,)) for number in (1, 2, 3)), GetValues(1, (1,)), GetValues(1, (2,)))
    values = [[ValueMessage(0, 1, b"\x11")], [ValueMessage(0, 2, b"\x22\x22")], [ValueMessage(0, 3, bytes(34))]]
    unknown = [ValueResponse(1, 1, 1), ValueResponse(1, 2, 1)]
    assert frames(session.take_writes()) == [Grant(1), *values, unknown]
    assert before - session.credit == 4, "each costs a credit"


def test_what_is_pushed_travels_alone() -> None:
    session, _ = open_device(credit=0)
    tell(session, Subscribe(0))
    for register in (1, 4):
        session.send(ValueMessage(0, register, b"\x01"), 0.0)
    control(session, "f980")
    pushed = [[ValueMessage(0, 1, b"\x01")], [ValueMessage(0, 4, b"\x01")]]
    assert frames(session.take_writes())[-2:] == pushed


def test_answers_longer_than_the_client_takes_are_spread_over_messages() -> None:
    session, _ = open_device(credit=0)
    control(session, "fa0150")
    control(session, "f9ff")
    tell(session, GetValues(0, (3,) * 5))
    found = frames(session.take_writes())
    value = ValueMessage(0, 3, bytes(34))
    assert found == [Grant(1), Grant(1), [value, value], [value, value], [value]]
    assert session.max_message == 0x50


def test_without_credit_answers_wait_and_the_newest_value_wins() -> None:
    session, _ = open_device(credit=1)
    tell(session, Subscribe(0))
    assert frames(session.take_writes()) == [Grant(1), [Response(0, 3, 0)]]
    for content in (b"\x01", b"\x02", b"\x03"):
        assert session.send(ValueMessage(0, 4, content), 0.0) == []
        assert session.send(ValueMessage(0, 1, content), 0.0) == []
    tell(session, GetValues(0, (2, 4)))
    assert frames(session.take_writes()) == [Grant(1)], "the slot comes back even where there is no credit to answer"
    control(session, "f901")
    assert frames(session.take_writes()) == [[ValueMessage(0, 1, b"\x03")]]
    control(session, "f901")
    assert frames(session.take_writes()) == [[ValueMessage(0, 2, b"\x22\x22"), ValueMessage(0, 4, b"\x44")]]


def test_a_client_without_grants_cannot_fill_the_device() -> None:
    session, _ = open_device(credit=0)
    for start in range(0, 6000, 20):
        tell(session, GetValues(0, tuple(range(start, start + 20))))
    assert session.waiting == 1024


@pytest.mark.parametrize("raw", ["0a03", "080319010040", "25", "1903e8", "050082190102", "ff", "08"])
def test_what_a_device_does_not_support_is_a_failure(raw: str) -> None:
    session, _ = open_device()
    session.receive(LAST, bytes.fromhex(raw), 0.0)
    assert frames(session.take_writes()) == [Grant(1), Failure(3)]


def test_a_damaged_message_is_read_up_to_the_damage_and_writes_nothing() -> None:
    session, store = open_device()
    good = build_message(SetValues(0, ((1, b"\x99"),))) + build_message(GetValues(0, (1,)))
    session.receive(LAST, good + b"\x05\x01", 0.0)
    assert frames(session.take_writes()) == [Grant(1), Failure(3), [ValueMessage(0, 1, b"\x11")]]
    assert store.content[0, 1] == b"\x11"


def test_unknown_control_frames_are_told_and_ignored() -> None:
    session, _ = open_device()
    assert control(session, "01") == [UnknownControl(b"\x01")]
    assert session.take_writes() == []


def test_a_device_that_knows_one_dialect_only() -> None:
    strict = Personality(Header(), dialects=frozenset({False}))
    session, _ = open_device(strict)
    tell(session, GetValues(0, (1,), indefinite=True))
    assert frames(session.take_writes()) == [Grant(1), Failure(3)]
    tell(session, GetValues(0, (1,)))
    assert frames(session.take_writes()) == [Grant(1), [ValueMessage(0, 1, b"\x11")]]
    session, _ = open_device(STUBBORN)
    tell(session, GetValues(0, (1,)))
    assert frames(session.take_writes()) == [Grant(1)]
    tell(session, GetDevices())
    assert len(frames(session.take_writes())) == 2, "what has no array is understood in any dialect"


@pytest.mark.parametrize("indefinite", [False, True])
@pytest.mark.parametrize(("get", "set_"), [(GetValues, SetValues), (GetValuesAlternate, SetValuesAlternate)])
def test_a_charger_takes_both_dialects_and_both_sets_of_opcodes(
    get: type[GetValues], set_: type[SetValues], indefinite: bool
) -> None:
    session, store = open_device(CHARGER)
    tell(session, get(0, (1, 99), indefinite))
    assert frames(session.take_writes()) == [Grant(1), [ValueMessage(0, 1, b"\x11"), ValueResponse(0, 99, 1)]]
    tell(session, set_(0, ((1, b"\x77"), (2, b"")), indefinite))
    assert frames(session.take_writes()) == [Grant(1), [ValueMessage(0, 1, b"\x77"), ValueResponse(0, 2, 3)]]
    assert store.content[0, 1] == b"\x77"


@pytest.mark.parametrize("personality", [NEW, OLD, INVERTER])
def test_others_know_the_usual_opcodes_only(personality: Personality) -> None:
    session, store = open_device(personality)
    tell(session, GetValuesAlternate(0, (1,)))
    assert frames(session.take_writes()) == [Grant(1), Failure(3)]
    tell(session, SetValuesAlternate(0, ((1, b"\x77"),)))
    assert frames(session.take_writes()) == [Grant(1), Failure(3)]
    assert store.content[0, 1] == b"\x11"


@pytest.mark.parametrize(("get", "said"), [(GetValues, "0719ec650502"), (GetValuesAlternate, "0719ec652502")])
def test_what_is_withheld_is_refused_with_the_opcode_of_the_request(get: type[GetValues], said: str) -> None:
    session, store = open_device(CHARGER)
    store.content[0, 0xEC65] = Withheld(ResultCode.NOT_ACCEPTABLE)  # type: ignore[assignment]
    tell(session, get(0, (0xEC65,)))
    assert session.take_writes()[-1] == ChunkWrite(LAST, bytes.fromhex(said))


def test_a_client_takes_the_echo_of_an_alternate_opcode_for_an_answer() -> None:
    session = open_client()
    session.send(GetValues(0, (0xEC65,)), 0.0)
    control(session, "f901", 0.1)
    assert session.deadline() == 4.0, "the answer is awaited"
    tell(session, Response(0xEC65, -6, 2), now=0.1)
    assert session.deadline() is None


def test_a_device_expires_without_keep_alive() -> None:
    session, _ = open_device()
    assert session.deadline() == 10.0
    assert session.on_time(9.9) == ()
    tell(session, SetValues(0, ((0x93, b"\x10\x27"),)), now=9.9)
    assert frames(session.take_writes()) == [Grant(1), [ValueMessage(0, 0x93, b"\x10\x27")]]
    assert session.deadline() == pytest.approx(19.9)
    tell(session, SetValues(0, ((0x93, b"\xe8\x03"),)), now=15.0)
    assert session.deadline() == 16.0
    tell(session, GetValues(0, (0x93,)), now=15.5)
    assert frames(session.take_writes())[-1] == [ValueMessage(0, 0x93, b"\xe8\x03")]
    assert session.on_time(16.0) == (Expired(),)
    assert session.deadline() is None
    assert session.on_time(17.0) == ()


@pytest.mark.parametrize("content", [b"", b"\x10", b"\x10\x27\x00", b"\x00\x00"])
def test_a_keep_alive_that_is_no_time_is_not_acceptable(content: bytes) -> None:
    session, _ = open_device()
    tell(session, SetValues(0, ((0x93, content),)), now=5.0)
    assert frames(session.take_writes()) == [Grant(1), [ValueResponse(0, 0x93, 2)]]
    assert session.deadline() == 10.0


def test_an_old_device_knows_no_keep_alive_and_never_expires() -> None:
    session, _ = open_device(OLD)
    tell(session, SetValues(0, ((0x93, b"\x10\x27"),)), GetValues(0, (0x93,)))
    assert frames(session.take_writes()) == [Grant(1), [ValueResponse(0, 0x93, 1)], [ValueResponse(0, 0x93, 1)]]
    assert session.deadline() is None


@pytest.mark.parametrize("personality", [CHARGER, INVERTER])
def test_a_charger_and_an_inverter_repeat_the_keep_alive_and_never_expire(personality: Personality) -> None:
    session, _ = open_device(personality)
    tell(session, GetValues(0, (0x93,)))
    assert frames(session.take_writes())[-1] == [ValueMessage(0, 0x93, b"\xff\xff")]
    assert session.deadline() is None
    tell(session, KEEP_ALIVE, GetValues(0, (0x93,)))
    assert frames(session.take_writes()) == [Grant(1), *[[ValueMessage(0, 0x93, b"\x10\x27")]] * 2]
    assert session.deadline() is None
    assert session.on_time(1e6) == ()


def test_a_new_client_on_the_same_device_starts_from_nothing() -> None:
    session, _ = open_device()
    tell(session, Subscribe(3))
    tell(session, SetValues(0, ((0x93, b"\xe8\x03"),)))
    assert session.open(100.0) == []
    assert session.deadline() == 110.0
    assert session.credit == 0
    tell(session, GetValues(3, (5,)), now=100.0)
    control(session, "f905", 100.0)
    assert frames(session.take_writes()) == [Grant(1), Grant(1), [ValueResponse(3, 5, 1)]]


def test_grants_against_lost_credit_never_pile_up_beyond_a_byte() -> None:
    session = open_client()
    tell(session, ValueMessage(0, 1, b""))
    session.take_writes()
    now, granted = 1.0, session.given
    for _ in range(10):
        session.send(GetValues(0, (1,)), now)
        control(session, "f901", now)
        while (deadline := session.deadline()) is not None:
            now = deadline
            session.on_time(now)
            control(session, "f901", now)
        granted += sum(frame.messages for frame in frames(session.take_writes()) if isinstance(frame, Grant))
        tell(session, ValueMessage(1, 1, b""), now=now)
        granted -= 1
        now += 1.0
    assert session.given == granted
    assert 128 < granted <= 255
