"""The device's side of a session: it answers a client from a register store.

Protocol page victronconnect-gatt, section 8. The store is a port: an emulated device passes an object with the
three methods of `Registers`.

Each request is answered in a message of its own, as the captured SmartShunt did: eight reads that came in one message
left in eight notifications. What is pushed travels alone, too. Only its answers for instance 1 shared a message.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final, Protocol

import msgspec

from bluewatt.tables.gatt import (
    KEEP_ALIVE_INSTANCE,
    KEEP_ALIVE_REGISTER,
    SUBSCRIBED_FIRST,
    UNSUPPORTED_REQUEST,
    Opcode,
    ResultCode,
)
from bluewatt.wire.victronconnect.control import SMALLEST_CHUNK, ControlFrame, Failure, Grant, Header
from bluewatt.wire.victronconnect.events import Event, Expired, Role
from bluewatt.wire.victronconnect.grammar import build_message
from bluewatt.wire.victronconnect.messages import (
    DeviceList,
    GetDevices,
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
from bluewatt.wire.victronconnect.reassembly import ProtocolError
from bluewatt.wire.victronconnect.session import Session

_KEEP_ALIVE = (KEEP_ALIVE_INSTANCE, KEEP_ALIVE_REGISTER)
_KEEP_ALIVE_SIZE = 2
_FOREVER = b"\xff" * _KEEP_ALIVE_SIZE


class Withheld(msgspec.Struct, frozen=True, gc=False):
    """A read that is refused as a request, with a Response: so is the key before PUK and PIN (section 10)."""

    code: int


class Registers(Protocol):
    """The register store behind an emulated device."""

    def devices(self) -> Sequence[tuple[int, int]]:
        """Return instances with their kinds, in the order to list them."""
        ...

    def get(self, instance: int, register: int) -> bytes | int | Withheld:
        """Return the content of a register, little endian, or the code of the refusal (`ResultCode`)."""
        ...

    def set(self, instance: int, register: int, value: bytes) -> bytes | int:
        """Write a register. Return its content afterwards, or the code of the refusal."""
        ...


class Personality(msgspec.Struct, frozen=True):
    """The behaviour of a generation of firmware."""

    header: Header
    keep_alive: float | None = 10.0
    """Seconds until a client that never wrote the keep-alive is disconnected; None: it is never disconnected."""
    knows_keep_alive: bool = True
    """Whether the keep-alive register exists; a device without a deadline only repeats what is written to it."""
    dialects: frozenset[bool] = frozenset({False, True})
    """Array dialects understood: False definite, True indefinite."""
    silent: bool = False
    """Whether the dialect not understood is ignored silently, not answered with a failure."""
    alternate_opcodes: bool = False
    """Whether 0x25 and 0x26 are taken as 0x05 and 0x06."""
    packed: frozenset[int] = frozenset({1})
    """Instances whose answers share a message (captured)."""


NEW: Final = Personality(Header(protocol_version=4, max_message=222, chunk_size=74))
"""A SmartShunt or SmartSolar of recent firmware (header as read from a SmartSolar, section 4.1)."""

OLD: Final = Personality(
    Header(protocol_version=4, max_message=160, chunk_size=SMALLEST_CHUNK), keep_alive=None, knows_keep_alive=False
)
"""The SmartShunt of January 2021: MTU 23, no keep-alive (its header is inferred: the capture never reads it)."""

CHARGER: Final = Personality(Header(protocol_version=1, max_message=80), keep_alive=None, alternate_opcodes=True)
"""An Orion or IP22 (header as read from an IP22): both array dialects, both sets of opcodes, and no trace in which it
disconnects for want of a keep-alive (amendments of the protocol page, single source each)."""

INVERTER: Final = Personality(NEW.header, keep_alive=None)
"""A Phoenix, of which no trace shows a disconnection for want of a keep-alive either (single source)."""


class DeviceSide:
    """The device of a session: answers requests, pushes subscribed values, reports an overdue keep-alive."""

    role = Role.DEVICE
    top_up = 1

    def __init__(
        self,
        registers: Registers,
        personality: Personality = NEW,
        *,
        subscribed_first: Iterable[int] = SUBSCRIBED_FIRST,
    ) -> None:
        self.registers = registers
        self.personality = personality
        self.subscriptions: set[int] = set()
        self.slots = personality.header.slots
        self._subscribed_first = frozenset(subscribed_first)
        self._misunderstood = frozenset({False, True}) - personality.dialects
        self._greeted = False
        self._keep_alive = _content(personality.keep_alive)
        self._expires: float | None = None
        self._answers: dict[type[Message], Callable[[Session, Message, float], Iterable[Message]]] = {
            GetDevices: self._list_devices,
            Subscribe: self._subscribe,
            Unsubscribe: self._unsubscribe,
            GetValues: self._get_values,
            SetValues: self._set_values,
        }
        if personality.alternate_opcodes:
            self._answers |= {GetValuesAlternate: self._get_values, SetValuesAlternate: self._set_values}

    @property
    def header(self) -> Header:
        """The answer to a read of the control characteristic."""
        return self.personality.header

    def opened(self, session: Session, now: float) -> None:
        """Begin a connection; nothing is granted until the client sends its limits."""
        self.subscriptions.clear()
        self._greeted = False
        self._keep_alive = _content(self.personality.keep_alive)
        self._arm(now)

    def admit(self, session: Session, message: Message) -> Sequence[Message]:
        """Return a changed value only if its instance is subscribed to; anything else always."""
        wanted = not isinstance(message, ValueMessage) or message.instance in self.subscriptions
        return (message,) if wanted else ()

    def build(self, message: Message) -> bytes:
        """Return the bytes of a record."""
        return build_message(message)

    def group(self, message: Message) -> object:
        """Return no group: what is pushed travels alone."""
        return object()

    def prepare(self, session: Session, now: float) -> None:
        """Do nothing: nothing is put in front."""

    def sent(self, session: Session, messages: Sequence[Message], now: float) -> None:
        """Do nothing: a device awaits no answer."""

    def heard(self, session: Session, messages: Sequence[Message], now: float) -> Sequence[Event]:
        """Answer each request in order."""
        for message in messages:
            answer = self._answers.get(type(message))
            if answer is None:
                session.control(Failure(UNSUPPORTED_REQUEST))
            elif isinstance(message, GetValues | SetValues) and message.indefinite in self._misunderstood:
                self._misunderstand(session)
                break
            else:
                together = self._together(message)
                for reply in answer(session, message, now):
                    session.queue(reply, together=together)
        return ()

    def damaged(self, session: Session, error: ProtocolError, now: float) -> None:
        """Answer the requests before the damage, as the captured SmartShunt does, but write nothing; then say so."""
        self.heard(session, [message for message in error.good if not isinstance(message, SetValues)], now)
        session.control(Failure(UNSUPPORTED_REQUEST))

    def controlled(self, session: Session, frame: ControlFrame, now: float) -> Sequence[Event]:
        """Answer the first grant of a connection with ours (section 4.2)."""
        if isinstance(frame, Grant) and not self._greeted:
            self._greeted = True
            session.grant(self.slots)
        return ()

    def deadline(self) -> float | None:
        """Return when the client must have written its keep-alive."""
        return self._expires

    def on_time(self, session: Session, now: float) -> Sequence[Event]:
        """Handle an overdue keep-alive."""
        if self._expires is None or now < self._expires:
            return ()
        self._expires = None
        return (Expired(),)

    def _together(self, message: Message) -> object:
        """Return the group of the answers to a request: those of one group may share a message."""
        instance = getattr(message, "instance", None)
        return instance if instance in self.personality.packed and not isinstance(message, Subscribe) else object()

    def _misunderstand(self, session: Session) -> None:
        if not self.personality.silent:
            session.control(Failure(UNSUPPORTED_REQUEST))

    def _arm(self, now: float) -> None:
        seconds = int.from_bytes(self._keep_alive, "little") / 1000
        self._expires = None if self.personality.keep_alive is None else now + seconds

    def _list_devices(self, session: Session, message: Message, now: float) -> Iterable[Message]:
        return (DeviceList(tuple(self.registers.devices())),)

    def _subscribe(self, session: Session, message: Message, now: float) -> Iterable[Message]:
        assert isinstance(message, Subscribe)
        if message.instance not in dict(self.registers.devices()):
            return (Response(message.instance, Opcode.SUBSCRIBE, ResultCode.NOT_ACCEPTABLE),)
        self.subscriptions.add(message.instance)
        return (Response(0, Opcode.SUBSCRIBE, ResultCode.OK),)

    def _unsubscribe(self, session: Session, message: Message, now: float) -> Iterable[Message]:
        assert isinstance(message, Unsubscribe)
        self.subscriptions.discard(message.instance)
        return (Response(0, Opcode.UNSUBSCRIBE, ResultCode.OK),)

    def _get_values(self, session: Session, message: Message, now: float) -> Iterable[Message]:
        assert isinstance(message, GetValues)
        for register in message.registers:
            content = self._get(message.instance, register)
            if isinstance(content, Withheld):
                yield Response(register, message.opcode, content.code)
            else:
                yield _reply(message.instance, register, content)

    def _get(self, instance: int, register: int) -> bytes | int | Withheld:
        if (instance, register) == _KEEP_ALIVE:
            return self._keep_alive if self.personality.knows_keep_alive else ResultCode.UNKNOWN_REGISTER
        if instance in self._subscribed_first and instance not in self.subscriptions:
            return ResultCode.UNKNOWN_REGISTER
        return self.registers.get(instance, register)

    def _set_values(self, session: Session, message: Message, now: float) -> Iterable[Message]:
        assert isinstance(message, SetValues)
        for register, value in message.writes:
            yield _reply(message.instance, register, self._set(message.instance, register, value, now))

    def _set(self, instance: int, register: int, value: bytes, now: float) -> bytes | int:
        if (instance, register) == _KEEP_ALIVE:
            return self._set_keep_alive(value, now)
        if instance in self._subscribed_first and instance not in self.subscriptions:
            return ResultCode.UNKNOWN_REGISTER
        return self.registers.set(instance, register, value)

    def _set_keep_alive(self, value: bytes, now: float) -> bytes | int:
        if not self.personality.knows_keep_alive:
            return ResultCode.UNKNOWN_REGISTER
        if len(value) != _KEEP_ALIVE_SIZE or not any(value):
            return ResultCode.NOT_ACCEPTABLE
        self._keep_alive = value
        self._arm(now)
        return value


def _content(keep_alive: float | None) -> bytes:
    """Return the keep-alive register before anything was written to it; all ones for no deadline (inferred)."""
    return _FOREVER if keep_alive is None else round(keep_alive * 1000).to_bytes(_KEEP_ALIVE_SIZE, "little")


def _reply(instance: int, register: int, result: bytes | int) -> Message:
    if isinstance(result, int):
        return ValueResponse(instance, register, result)
    return ValueMessage(instance, register, result)
