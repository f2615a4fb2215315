"""The client's side of a session: opening, keep-alive, array dialect, time limits.

Protocol page victronconnect-gatt, section 7. Devices differ and nobody has seen them all, so every wait ends: a device
that never grants a slot is paced by its answers, one that ignores an array dialect is asked in the other, one that does
not know the keep-alive is left alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple

import msgspec

from bluewatt.errors import Unencodable
from bluewatt.tables.gatt import KEEP_ALIVE_INSTANCE, KEEP_ALIVE_REGISTER, Opcode
from bluewatt.wire.victronconnect.control import ControlFrame, Failure, Grant, Header, Limits, parse_header
from bluewatt.wire.victronconnect.events import DialectChanged, Event, Role, Stalled, Unanswered
from bluewatt.wire.victronconnect.grammar import build_message
from bluewatt.wire.victronconnect.messages import (
    GetPathList,
    GetPathValues,
    GetValues,
    Message,
    RegisterAddress,
    Response,
    SetPathValues,
    SetValues,
    Subscribe,
    Unknown,
    ValueMessage,
    ValueResponse,
)
from bluewatt.wire.victronconnect.reassembly import ProtocolError
from bluewatt.wire.victronconnect.session import Session

OWN_LIMITS: Final = Limits(0x80, 0xFF)
"""The limits VictronConnect announces: 128 slots, messages up to 255 bytes (section 4.2)."""

KEEP_ALIVE = 10.0
"""Seconds VictronConnect asks for; it repeats the request three times in that time."""

FIRST_SLOT_TIMEOUT = 1.0
"""Seconds to wait for the first grant of a connection; it normally comes within one connection event."""

SLOT_TIMEOUT = 4.0
"""Seconds to wait for each later grant."""

ANSWER_TIMEOUT = 4.0
"""Seconds to wait for an answer (section 7 allows 1 to 4; an IP65 charger was reported to take 12)."""

_REPEATS = 3
_BYTE = 0xFF
_KEEP_ALIVE_KEY = (KEEP_ALIVE_INSTANCE, KEEP_ALIVE_REGISTER)
_WITH_ARRAY = (GetValues, SetValues, GetPathValues, SetPathValues)
_PATH_CALLS = (GetPathList, GetPathValues, SetPathValues, Unknown)


class _Question(NamedTuple):
    """A request under way, its time, and the array dialect it was sent in."""

    message: Message
    at: float
    indefinite: bool


class ClientSide:
    """The client of a session. All waits are in seconds; `indefinite` is the array dialect to begin with."""

    role = Role.CLIENT
    slots = OWN_LIMITS.slots
    top_up = 65

    def __init__(
        self,
        *,
        keep_alive: float | None = KEEP_ALIVE,
        indefinite: bool = False,
        announce: Limits | None = OWN_LIMITS,
        slot_timeout: float = SLOT_TIMEOUT,
        answer_timeout: float = ANSWER_TIMEOUT,
    ) -> None:
        self.indefinite = indefinite
        """The array dialect in use; worth remembering for the device once `dialect_proven`."""
        self._header: Header | None = None
        self._keep_alive = keep_alive
        self._announce = announce
        self._slot_timeout = slot_timeout
        self._answer_timeout = answer_timeout
        self._preferred = indefinite
        self._forget()

    def _forget(self) -> None:
        self.dialect_proven = False
        """Whether the device answered a request in this dialect."""
        self._retried: set[Message] = set()
        self._grants: bool | None = None
        self._slot_deadline: float | None = None
        self._waiting_since = 0.0
        self._heard_at = 0.0
        self._keep_alive_answered = False
        self._asked: dict[RegisterAddress, _Question] = {}
        self._last: Sequence[Message] = ()
        self._subscribed: set[int] = set()
        self._keep_alive_due: float | None = None

    @property
    def header(self) -> Header:
        """The device's header, or the smallest one seen while it was not read."""
        return self._header or Header()

    def read_header(self, data: bytes) -> Header:
        """Take what was read from the control characteristic; raises `Malformed`. To be done before `open`."""
        self._header = parse_header(data)
        return self._header

    @property
    def keeps_alive(self) -> bool:
        """Whether the keep-alive is repeated; not for a device that does not know it."""
        return self._keep_alive_due is not None

    def opened(self, session: Session, now: float) -> None:
        """Send our limits, grant messages, begin to wait for the first slot."""
        self._forget()
        self.indefinite = self._preferred
        if self._announce is not None:
            session.control(self._announce)
        session.grant(self.slots)
        self._await_slot(now, FIRST_SLOT_TIMEOUT)
        self._keep_alive_due = None if self._keep_alive is None else now

    def admit(self, session: Session, message: Message) -> Sequence[Message]:
        """Split a long list of registers to what the device takes; raises `Unencodable` if that does not help."""
        return list(_split(message, session.max_message, self.build))

    def build(self, message: Message) -> bytes:
        """Return the bytes of a record in the dialect of the device."""
        if self.indefinite and isinstance(message, _WITH_ARRAY):
            message = msgspec.structs.replace(message, indefinite=True)
        return build_message(message)

    def group(self, message: Message) -> object:
        """Return the group of a record.

        Path calls and the keep-alive travel alone; so do writes, and reads keep apart, while no dialect is proven. A
        device that does not understand an array drops the whole message, so it may hold nothing that is not sent again.
        The keep-alive must be one chunk: in two, with others, a lost chunk costs the connection.
        """
        if isinstance(message, _PATH_CALLS) or _is_keep_alive(message):
            return object()
        if self.dialect_proven or not isinstance(message, _WITH_ARRAY):
            return None
        return GetValues if isinstance(message, GetValues) or _keys(message) else object()

    def prepare(self, session: Session, now: float) -> None:
        """Put a due keep-alive in front of what waits; one that had to wait does not delay the next."""
        if self._keep_alive is None or self._keep_alive_due is None or now < self._keep_alive_due or not session.credit:
            return
        period = self._keep_alive / _REPEATS
        self._keep_alive_due += period * (1 + (now - self._keep_alive_due) // period)
        milliseconds = round(self._keep_alive * 1000).to_bytes(2, "little")
        session.queue(SetValues(KEEP_ALIVE_INSTANCE, ((KEEP_ALIVE_REGISTER, milliseconds),)), first=True)

    def sent(self, session: Session, messages: Sequence[Message], now: float) -> None:
        """Wait for the slot to come back, and for the answers."""
        self._last = messages
        for message in messages:
            if isinstance(message, Subscribe):
                self._subscribed.add(message.instance)
            for key in _keys(message):
                self._asked.setdefault(key, _Question(message, now, self.indefinite))
        if not session.credit:
            self._await_slot(now, self._slot_timeout)

    def heard(self, session: Session, messages: Sequence[Message], now: float) -> Sequence[Event]:
        """Remove what was answered; learn dialect and keep-alive; free the slot of a device that never grants."""
        self._heard_at = now
        if self._asked:
            for message in messages:
                self._strike_off(message)
        if self._grants is False and not session.credit:
            self._slot_deadline = None
            session.credit = 1
        return ()

    def damaged(self, session: Session, error: ProtocolError, now: float) -> None:
        """Do nothing: the requests stay open."""

    def controlled(self, session: Session, frame: ControlFrame, now: float) -> Sequence[Event]:
        """End the wait for a slot at a grant; a failure may mean the wrong dialect."""
        if isinstance(frame, Grant):
            if not session.credit:  # a grant of nothing
                return ()
            self._grants = True
            self._slot_deadline = None
            # A late or doubled grant must not let two messages go to a device of one slot.
            session.credit = min(session.credit, max(self.header.slots, frame.messages))
            return ()
        again = [m for m in self._last if m not in self._retried and not isinstance(m, _PATH_CALLS)]
        if isinstance(frame, Failure) and not self.dialect_proven and any(isinstance(m, _WITH_ARRAY) for m in again):
            return self._switch(session, again)
        return ()

    def deadline(self) -> float | None:
        """Return the next of: slot overdue, answer overdue, keep-alive due (which waits for a slot, too)."""
        due = self._keep_alive_due if self._slot_deadline is None else None
        times = [time for time in (self._slot_deadline, self._overdue_at(), due) if time is not None]
        return min(times, default=None)

    def on_time(self, session: Session, now: float) -> Sequence[Event]:
        """Give up waits whose time is over."""
        events: list[Event] = []
        if self._slot_deadline is not None and now >= self._slot_deadline:
            events += self._give_up_slot(session, now)
        overdue_at = self._overdue_at()
        if overdue_at is not None and now >= overdue_at:
            events += self._give_up_answers(session, now)
        return events

    def _overdue_at(self) -> float | None:
        oldest = next(iter(self._asked.values()), None)
        return None if oldest is None else oldest.at + self._answer_timeout

    def _await_slot(self, now: float, patience: float) -> None:
        self._waiting_since = now
        self._slot_deadline = now + patience

    def _give_up_slot(self, session: Session, now: float) -> list[Event]:
        self._slot_deadline = None
        session.credit = max(session.credit, 1)
        if self._grants is False:
            return []
        self._grants = self._grants or False
        return [Stalled(now - self._waiting_since)]

    def _give_up_answers(self, session: Session, now: float) -> Sequence[Event]:
        overdue = {key: asked for key, asked in self._asked.items() if now >= asked.at + self._answer_timeout}
        for key in overdue:
            del self._asked[key]
        messages = dict.fromkeys(asked.message for asked in overdue.values())
        reads = [message for message in messages if isinstance(message, GetValues)]
        again = [] if self.dialect_proven else [message for message in reads if message not in self._retried]
        keys = tuple(key for key, asked in overdue.items() if key != _KEEP_ALIVE_KEY and asked.message not in again)
        events: list[Event] = [Unanswered(keys)] if keys else []
        silent = self._heard_at <= min(asked.at for asked in overdue.values())  # a coarse clock shows no difference
        if silent and not again and (reads or self._keep_alive_answered):
            self._rescue(session)
        self._retried.difference_update(messages)
        if self.dialect_proven:
            return events
        # Two requests in one dialect may time out one after the other: the second must not switch back.
        stale = all(asked.indefinite != self.indefinite for asked in overdue.values())
        return [*events, *self._switch(session, again, turn=not stale)]

    def _rescue(self, session: Session) -> None:
        # Notifications lost on the way used up credit that we still count as given, and a device without credit is
        # silent: one more grant brings it back. Never beyond what a byte counts.
        if session.given + self.top_up <= _BYTE:
            session.grant(self.top_up)

    def _switch(self, session: Session, again: Sequence[Message], *, turn: bool = True) -> Sequence[Event]:
        # While no dialect is proven the two take turns, and each request is sent once in each.
        self._retried.update(again)
        self._asked = {key: asked for key, asked in self._asked.items() if asked.message not in again}
        for message in reversed(again):
            session.queue(message, first=True)
        if not turn:
            return ()
        self.indefinite = not self.indefinite
        return (DialectChanged(self.indefinite),)

    def _strike_off(self, message: Message) -> None:
        if isinstance(message, ValueMessage | ValueResponse):
            key = (message.instance, message.register)
            if self._asked.pop(key, None) is None:
                return
            refused = isinstance(message, ValueResponse)
            if key == _KEEP_ALIVE_KEY:
                self._hear_keep_alive(refused=refused)
            elif refused or message.instance not in self._subscribed:
                # A value of a subscribed instance may be a push nobody asked for, so it would prove nothing.
                self.dialect_proven = True
        elif isinstance(message, Response) and message.request in (Opcode.GET_VALUES, Opcode.SET_VALUES):
            self.dialect_proven = True
            self._asked = {key: asked for key, asked in self._asked.items() if not _concerns(message, key, asked)}

    def _hear_keep_alive(self, *, refused: bool) -> None:
        self.dialect_proven = self._keep_alive_answered = True
        if refused:
            self._keep_alive_due = None


def _is_keep_alive(message: Message) -> bool:
    if not isinstance(message, SetValues):
        return False
    return any((message.instance, register) == _KEEP_ALIVE_KEY for register, _ in message.writes)


def _keys(message: Message) -> Sequence[RegisterAddress]:
    if isinstance(message, GetValues):
        return [(message.instance, register) for register in message.registers]
    # Ordinary settings may be accepted without an answer (section 9); the keep-alive is always answered.
    return [_KEEP_ALIVE_KEY] if _is_keep_alive(message) else ()


def _concerns(response: Response, key: RegisterAddress, asked: _Question) -> bool:
    # The item is 0 for the whole request, the instance or a register (section 5.2).
    return asked.message.opcode == response.request and response.item in (0, *key)


def _split(message: Message, limit: int, build: Callable[[Message], bytes]) -> Iterator[Message]:
    size = len(build(message))
    if size <= limit:
        yield message
    elif isinstance(message, GetValues) and len(message.registers) > 1:
        middle = len(message.registers) // 2
        for registers in (message.registers[:middle], message.registers[middle:]):
            yield from _split(msgspec.structs.replace(message, registers=registers), limit, build)
    else:
        raise Unencodable(f"a message of {size} bytes, and the device takes {limit}")
