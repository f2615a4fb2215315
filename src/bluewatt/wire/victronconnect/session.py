"""VictronConnect's protocol as a machine without input or output: bytes and the time go in, events and writes come out.

Theory of operation
===================

One machine, two roles. A client and a device do the same things: they cut messages into chunks, put chunks together,
count the messages they may send, and give the other side leave to send more. All that lives in `Session`, which does
not know the role it plays. What differs lives in a *side*: `client.ClientSide` opens the connection, keeps it
alive and finds the array dialect; `device.DeviceSide` answers from a register store. So the machine that drives
a device also is the device in the emulator, and each proves the other.

Terms. A *record* is one CBOR message of the protocol (the page calls both "message"): `08 03 19ed8d 42 2f05`. A
*message* is what flow control counts: one or more records, cut into *chunks*. All chunks but the last go to the bulk
characteristic, the last to the other one, which is what completes the message (section 6).

Leave to send. Credits count messages, not chunks (fact 4). `credit` is what the other side granted us. With none left,
what we have to say waits in the queue; a grant lets it out. `given` is what we granted and have not seen used; when
`top_up` of it is used, we grant as much again. The two sides differ only in numbers: a client grants 128 and tops up 65
at a time, a device has one slot and gives it back (`F9 01`) after each message it consumed. A client that forgets this
hears 128 messages and then silence.

    client                                   device
    FA 80 FF   my limits             ──────▶ max_message
    F9 80      you may send 128      ──────▶ credit 128
               credit 1 ◀──────              F9 01, once, after the first grant
    05 03 81 19ed8d                  ──────▶ consumed
               credit 1 ◀──────              F9 01, before the answer
               answer   ◀──────              08 03 19ed8d 42 2f05
    F9 41      after 65 messages     ──────▶ credit + 65

Control frames cost no credit, so neither side can starve the other of grants.

The queue. Records wait in order; a message takes as many from its front as the peer's longest message allows, and as
belong together: what a device may refuse as a whole does not take others with it, and a device answers each request in
a message of its own. While the device has no credit, a
newer value replaces the older one of its register, so a slow reader gets the present, not the past. The queue is
bounded.

Damage. There is no checksum and no length: a message whose bytes do not parse whole is reported as `ProtocolError`, its
good prefix inside. A client takes no value from it and a device writes nothing, because a lost chunk may have moved
bytes of one record into another; a device answers the reads of the prefix. The buffer is then empty, so the next
message is understood: that is all the resynchronisation there is. A bulk sequence never ended stays pending and spoils
the next message, as it does in real devices (section 6).

Time. The machine has no clock. Whoever owns it passes `now` (seconds, any origin, never going back) and calls `on_time`
at `deadline()`. Lost grants, lost answers, silent devices: each ends at a deadline, so nothing waits for ever.

Use:

    session = Session(ClientSide())
    writes = session.open(now)                        # connected, notifications are on
    writes = session.send(GetValues(3, (0xED8D,)), now)
    events = session.receive(characteristic, data, now); writes = session.take_writes()
    events = session.on_time(now); writes = session.take_writes()
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from bluewatt.tables.gatt import DataCharacteristic
from bluewatt.wire.victronconnect import control
from bluewatt.wire.victronconnect.control import ControlFrame, Drop, Grant, Header, Limits
from bluewatt.wire.victronconnect.events import Event, Role
from bluewatt.wire.victronconnect.messages import Message
from bluewatt.wire.victronconnect.reassembly import ChunkWrite, Inbox, ProtocolError, cut
from bluewatt.wire.victronconnect.send_queue import Queue

SMALLEST_MTU = 23
"""The MTU of a Bluetooth LE connection before anything is agreed."""

_ATT_OVERHEAD = 3


class Side(Protocol):
    """The part of a session that depends on the role. Each method may queue records and control frames on it."""

    role: Role
    slots: int
    """The number of messages the other side may have under way to us."""
    top_up: int
    """The number of used messages after which as many are granted again."""

    @property
    def header(self) -> Header:
        """The header of the device, as far as known."""
        ...

    def opened(self, session: Session, now: float) -> None:
        """Begin a connection: forget the last one."""

    def admit(self, session: Session, message: Message) -> Sequence[Message]:
        """Return what to queue for a record its owner wants to send."""
        ...

    def build(self, message: Message) -> bytes:
        """Return the bytes of a queued record."""
        ...

    def group(self, message: Message) -> object:
        """Return the group of a record: records of equal groups may share a message."""
        ...

    def prepare(self, session: Session, now: float) -> None:
        """Put something in front: the machine is about to send."""

    def sent(self, session: Session, messages: Sequence[Message], now: float) -> None:
        """Note that these records left together."""

    def heard(self, session: Session, messages: Sequence[Message], now: float) -> Sequence[Event]:
        """Handle a whole message that arrived."""
        ...

    def damaged(self, session: Session, error: ProtocolError, now: float) -> None:
        """Handle a message that does not parse."""

    def controlled(self, session: Session, frame: ControlFrame, now: float) -> Sequence[Event]:
        """Handle a control frame; grants and limits are already counted."""
        ...

    def deadline(self) -> float | None:
        """Return when `on_time` must be called."""
        ...

    def on_time(self, session: Session, now: float) -> Sequence[Event]:
        """Handle the passing of time."""
        ...


class Session:
    """One connection, seen from one side; `open` begins it and begins it again."""

    def __init__(self, side: Side, *, mtu: int = SMALLEST_MTU) -> None:
        self.side = side
        self.mtu = mtu
        """The agreed MTU; to be set when it changes."""
        self.credit = 0
        """The number of messages we may send."""
        self.given = 0
        """The number of messages the other side may send and we have not received."""
        self.peer_limits: Limits | None = None
        """The limits the client announced (device role); a client takes none, whatever a device sends."""
        self._inbox = Inbox()
        self._queue = Queue()
        self._writes: list[ChunkWrite] = []

    @property
    def role(self) -> Role:
        """The role this session plays."""
        return self.side.role

    @property
    def chunk_size(self) -> int:
        """Bytes in one write or notification: what the MTU carries and the device's header allows."""
        return min(self.mtu - _ATT_OVERHEAD, self.side.header.chunk_size)

    @property
    def max_message(self) -> int:
        """Most bytes in one message of ours: the smaller of what header and peer allow."""
        own = self.side.header.max_message
        peer = self.peer_limits.max_message if self.peer_limits else None
        return min(own, peer) if peer else own

    @property
    def pending(self) -> bytes:
        """Bytes received of a message that is not complete."""
        return self._inbox.pending

    @property
    def waiting(self) -> int:
        """Records in the queue."""
        return len(self._queue)

    def open(self, now: float) -> list[ChunkWrite]:
        """Begin a connection, once notifications are on: forget everything of the last one."""
        self.close()
        self.side.opened(self, now)
        self._pump(now)
        return self.take_writes()

    def close(self) -> None:
        """End the connection: nothing pending, queued or granted survives it."""
        self.credit = self.given = 0
        self.peer_limits = None
        self._inbox.clear()
        self._queue.clear()
        self._writes.clear()

    def send(self, message: Message, now: float) -> list[ChunkWrite]:
        """Queue a record and take what may be written now; raises `Unencodable`."""
        for part in self.side.admit(self, message):
            self.queue(part)
        self._pump(now)
        return self.take_writes()

    def receive(self, characteristic: DataCharacteristic, data: bytes, now: float) -> Sequence[Event]:
        """Take one write or notification. Return what arrived and what it means. Never raises on bytes."""
        events: Sequence[Event]
        if characteristic is DataCharacteristic.CONTROL:
            events = self._receive_control(control.parse_control(data), now)
        else:
            events = self._receive_chunk(characteristic, data, now)
        self._pump(now)
        return events

    def deadline(self) -> float | None:
        """Return when to call `on_time` next; None if only an arrival matters."""
        return self.side.deadline()

    def on_time(self, now: float) -> Sequence[Event]:
        """Handle the passing of time; calling early or often does no harm."""
        events = self.side.on_time(self, now)
        self._pump(now)
        return events

    def take_writes(self) -> list[ChunkWrite]:
        """Return and forget what is to be written (client) or notified (device), in this order."""
        writes, self._writes = self._writes, []
        return writes

    # What sides use.

    def queue(self, message: Message, *, first: bool = False, together: object = None) -> None:
        """Put a record into the queue. Without credit, a newer value replaces the older one of its register.

        Records of equal `together` may share a message; None leaves that to the side's `group`.
        """
        self._queue.put(message, first=first, replace=self.credit == 0, together=together)

    def control(self, frame: ControlFrame) -> None:
        """Write a control frame at once; it needs no credit."""
        self._writes.append(ChunkWrite(DataCharacteristic.CONTROL, control.build_control(frame)))

    def grant(self, messages: int) -> None:
        """Grant the other side that many more messages."""
        self.given += messages
        self.control(Grant(messages))

    def _receive_control(self, frame: ControlFrame, now: float) -> list[Event]:
        match frame:
            case Grant(messages):
                self.credit += messages
            case Limits() if self.role is Role.DEVICE:  # a client announces limits so; a device's are in its header
                self.peer_limits = frame
            case Drop():
                self._inbox.clear()
        return [frame, *self.side.controlled(self, frame, now)]

    def _receive_chunk(self, characteristic: DataCharacteristic, data: bytes, now: float) -> Sequence[Event]:
        received = self._inbox.receive(characteristic, data)
        if received is None:
            return ()
        self._count_consumed()
        if isinstance(received, ProtocolError):
            self.side.damaged(self, received, now)
            return (received,)
        more = self.side.heard(self, received, now)
        return [*received, *more] if more else received

    def _count_consumed(self) -> None:
        self.given -= 1
        if self.given <= self.side.slots - self.side.top_up:
            self.grant(self.side.top_up)

    def _pump(self, now: float) -> None:
        self.side.prepare(self, now)
        while self.credit > 0 and self._queue:
            message, records = self._queue.take(self.max_message, self.side.build, self.side.group)
            self.credit -= 1
            self._writes += cut(message, self.chunk_size)
            self.side.sent(self, records, now)
