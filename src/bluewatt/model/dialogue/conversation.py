"""From the packets of captured connections to lines with a meaning: what client and device sent. Pure.

Each connection is watched by a pair of receiving halves (wire/victronconnect/observer.py), so both directions are
understood. Which handle is which characteristic is learned from the discovery in the capture, from an earlier
connection to the same device, from the first write of the client, or from the known layouts (protocol page
victronconnect-gatt, section 15). A message that is damaged or never ended is a line, too, with its bytes.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from functools import cache

import msgspec

from bluewatt.errors import Malformed
from bluewatt.model.dialogue.gatt_handles import ELSEWHERE, SUBSCRIPTIONS, AttributeInfo, HandleMap
from bluewatt.model.identity import Device
from bluewatt.model.keys import KeyRing
from bluewatt.model.reasons import PROTOCOL_ERROR, UNFINISHED
from bluewatt.tables.gatt import DEVICE_NAME, NO_PRODUCT, DataCharacteristic, Opcode
from bluewatt.tables.products import family_of
from bluewatt.tables.registers import by_key, rows_with_number
from bluewatt.wire.bluetooth.att import CLIENT_OPCODES, MTU_AGREED, READ, REFUSED, Operation, Server
from bluewatt.wire.bluetooth.hci_connections import (
    ATT_CHANNEL,
    FAR,
    MOST_LINKS,
    NEAR,
    Connected,
    Data,
    Encrypted,
    LinkEvent,
)
from bluewatt.wire.printable import printable
from bluewatt.wire.victronconnect.control import (
    ControlFrame,
    Drop,
    Failure,
    Grant,
    Header,
    Limits,
    UnknownControl,
    parse_header,
)
from bluewatt.wire.victronconnect.events import Role
from bluewatt.wire.victronconnect.messages import LAYOUTS, GetValues, Message, Unknown, ValueMessage
from bluewatt.wire.victronconnect.observer import Observer
from bluewatt.wire.victronconnect.reassembly import ProtocolError

VREG, CONTROL, GATT, LINK, DAMAGED = "vreg", "control", "gatt", "link", "undecoded"
"""The kinds of lines: a register message, flow control, another characteristic, the connection, damage."""

CONNECTED, DISCONNECTED, ENCRYPTED, NOTIFICATIONS = "connected", "disconnected", "encrypted", "notifications"

_KEY_SIZE = 16
_MOST_DEVICES = 4096
_UNKNOWN = "unknown"


class Attribute(msgspec.Struct, frozen=True, gc=False):
    """A characteristic outside the data service that was read, written or notified."""

    uuid: str
    handle: int
    value: bytes
    code: int = 0
    """The ATT error if the device refused; else 0."""


class ConnectionChange(msgspec.Struct, frozen=True, gc=False):
    """A change of the connection: `number` is an MTU, a reason of disconnection or the bits of a subscription."""

    number: int = 0
    uuid: str = ""


LineContent = Message | ControlFrame | Header | ProtocolError | Attribute | ConnectionChange


class Line(msgspec.Struct, frozen=True, gc=False):
    """One thing that was sent, or that happened to the connection."""

    number: int
    """The number of the line, counted from 1 over the whole capture."""
    at: float
    link: int
    """The running number of the connection."""
    device: Device
    """The device, whichever side sent the line."""
    family: str | None
    direction: Role | None
    kind: str
    message: str
    """The word of JSON's `message`: "value", "get_values", "grant", "notification", "connected", …"""
    content: LineContent
    raw: bytes = b""
    """The bytes it was read from; for a register message the whole message, which may hold several records."""
    part: int = 0
    """Which of the records in `raw` this is."""
    offset: int = 0
    """The byte offset of its last packet in the capture."""
    sensitive: bool = False
    """Whether unreadable bytes may hold a key or PIN, because one was asked for on this connection."""

    def __repr__(self) -> str:
        return f"Line({self.number}, {self.kind}, {self.message})"  # content and bytes may hold a key or a PIN


def _number(key: str) -> int:
    row = by_key(key, None)
    if row is None:
        raise LookupError(f"the register table has no {key}")
    return row.id


@cache
def _is_secret(register: int) -> bool:
    return any(row.secret for row in rows_with_number(register))


def _snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


MESSAGE_NAMES: dict[type, str] = {
    **{layout.build: Opcode(opcode).name.lower() for opcode, layout in LAYOUTS.items()},
    Unknown: "unknown",
    **{cls: _snake(cls.__name__) for cls in (Limits, Grant, Drop, Failure, UnknownControl, Header)},
}
"""Class of a message or control frame → the word for it in the field `message` of JSON Lines."""


class _Link:
    """The state of one connection."""

    def __init__(self, number: int, device: Device) -> None:
        self.number = number
        self.device = device
        self.family: str | None = None
        self.servers = (Server(), Server())
        self.handles = (HandleMap(self.servers[NEAR]), HandleMap(self.servers[FAR]))
        self.observers: dict[tuple[int, int], Observer] = {}
        self.asked_secret = False

    def observer(self, side: int, copy: int) -> Observer:
        found = self.observers.get((side, copy))
        if found is None:
            found = self.observers[side, copy] = Observer()
        return found


class Conversation:
    """Turns the events of connections into lines, and keeps what it learns about devices and keys."""

    def __init__(self, keys: KeyRing | None = None) -> None:
        self.keys = keys if keys is not None else KeyRing()
        self.counts: Counter[str] = Counter()
        """Number of lines by `message`; damage by its reason."""
        self.keys_seen: dict[str, bytes] = {}
        """Advertisement keys read in the capture, by address; each is put into the key ring at once."""
        self.products: dict[str, int] = {}
        """Product number by address, from advertisements."""
        self.names: dict[str, str] = {}
        self._links: dict[int, _Link] = {}
        self._known: dict[str, dict[int, str]] = {}
        self._lines = 0
        self._key_register, self._product_register = _number("advertisement_key"), _number("product_id")

    def receive(self, event: LinkEvent) -> list[Line]:
        """Return the lines that an event gives."""
        if isinstance(event, Data):
            return self._data(event) if event.channel == ATT_CHANNEL and event.payload else []
        if isinstance(event, Connected):
            return self._connected(event)
        link = self._links.get(event.link)
        if link is None:
            return []
        if isinstance(event, Encrypted):
            return [self._line(event.at, link, None, LINK, ENCRYPTED, ConnectionChange(), offset=event.offset)]
        del self._links[event.link]
        lines = [*self._ended(link, event.at, event.offset)]
        return [
            *lines,
            self._line(event.at, link, None, LINK, DISCONNECTED, ConnectionChange(event.reason), offset=event.offset),
        ]

    def finish(self, at: float) -> list[Line]:
        """Return lines about what was left unfinished at the end of the capture."""
        return [line for link in self._links.values() for line in self._ended(link, at, 0)]

    def _connected(self, event: Connected) -> list[Line]:
        lines: list[Line] = []
        if len(self._links) >= MOST_LINKS:
            # The capture lacks the ends of older ones.
            lines = [*self._ended(self._links.pop(next(iter(self._links))), event.at, event.offset)]
        link = self._open(event.link, event.addresses[FAR] or event.addresses[NEAR] or _UNKNOWN)
        return [*lines, self._line(event.at, link, None, LINK, CONNECTED, ConnectionChange(), offset=event.offset)]

    def _open(self, number: int, address: str) -> _Link:
        link = self._links[number] = _Link(number, Device(address, address, self.names.get(address)))
        if address != _UNKNOWN:
            if len(self._known) >= _MOST_DEVICES:
                self._known.clear()
            link.servers[FAR].uuids.update(self._known.get(address, {}))
            self._known[address] = link.servers[FAR].uuids
            self._identify(link, self.products.get(address))
        return link

    def _identify(self, link: _Link, product_id: int | None) -> None:
        family = family_of(product_id)
        if product_id is None or family is None or link.device.product_id == product_id:
            return
        self.products.setdefault(link.device.address, product_id)
        link.device = msgspec.structs.replace(link.device, product_id=product_id)
        link.family = family

    def _ended(self, link: _Link, at: float, offset: int) -> Iterator[Line]:
        for side, server in enumerate(link.servers):
            for operation in server.close():
                yield from self._operation(at, link, side, operation, offset)
        for observer in link.observers.values():
            for role, rest in observer.reset().items():
                content = ProtocolError(f"{len(rest)} bytes of a message that was never ended", rest)
                yield self._line(at, link, role, DAMAGED, UNFINISHED, content, rest, offset=offset)

    def _data(self, event: Data) -> list[Line]:
        at, number, side, _, payload, offset = event
        link = self._links.get(number)
        if link is None:
            link = self._open(number, _UNKNOWN)
        server = 1 - side if payload[0] in CLIENT_OPCODES else side
        operations = link.servers[server].receive(payload)
        return [line for operation in operations for line in self._operation(at, link, server, operation, offset)]

    def _operation(self, at: float, link: _Link, side: int, operation: Operation, offset: int) -> list[Line]:
        kind, handle, value, from_server, _ = operation
        if kind == MTU_AGREED:
            return [self._line(at, link, None, LINK, MTU_AGREED, ConnectionChange(handle), offset=offset)]
        place = link.handles[side].place(handle, value, from_server=from_server, read=kind == READ)
        role = Role.DEVICE if from_server else Role.CLIENT
        if place.characteristic is None or kind == REFUSED:
            return self._attribute(at, link, role, operation, place, offset)
        if kind == READ:
            return self._header(at, link, value, place, offset)
        return self._chunk(at, link, side, role, place, value, offset)

    def _chunk(
        self, at: float, link: _Link, side: int, role: Role, place: AttributeInfo, value: bytes, offset: int
    ) -> list[Line]:
        """Return the lines that a write or notification of the data service completes."""
        characteristic = place.characteristic or DataCharacteristic.BULK
        observer = link.observer(side, place.copy)
        before = observer.pending(role) if characteristic is DataCharacteristic.LAST else b""
        lines = []
        for part, event in enumerate(observer.receive(role, characteristic, value)):
            if isinstance(event, ProtocolError):
                lines.append(self._line(at, link, role, DAMAGED, PROTOCOL_ERROR, event, event.data, offset=offset))
                continue
            if isinstance(event, ValueMessage):
                self._learn(link, event)
            elif isinstance(event, GetValues):
                link.asked_secret = link.asked_secret or any(map(_is_secret, event.registers))
            kind = CONTROL if characteristic is DataCharacteristic.CONTROL else VREG
            name = MESSAGE_NAMES[type(event)]
            lines.append(self._line(at, link, role, kind, name, event, before + value, part, offset))  # type: ignore[arg-type]
        return lines

    def _learn(self, link: _Link, value: ValueMessage) -> None:
        """Keep what a value says about the device: its key, its product."""
        if value.register == self._key_register and len(value.value) == _KEY_SIZE:
            if link.device.address != _UNKNOWN:
                self._found_key(link.device.address, value.value)
        elif value.register == self._product_register and len(value.value) >= 3:
            product_id = int.from_bytes(value.value[1:3], "little")
            if link.device.product_id is None and product_id != NO_PRODUCT:
                self._identify(link, product_id)

    def _named(self, link: _Link, name: str) -> None:
        link.device = msgspec.structs.replace(link.device, name=name)
        self.names[link.device.address] = name

    def _found_key(self, address: str, key: bytes) -> None:
        if len(self.keys_seen) >= _MOST_DEVICES:
            self.keys_seen.clear()
        self.keys_seen[address] = key
        self.keys.add(address, key)

    def _header(self, at: float, link: _Link, value: bytes, place: AttributeInfo, offset: int) -> list[Line]:
        try:
            header = parse_header(value)
        except Malformed as error:
            content = ProtocolError(str(error), value)
            return [self._line(at, link, Role.DEVICE, DAMAGED, type(error).__name__, content, value, offset=offset)]
        return [self._line(at, link, Role.DEVICE, CONTROL, "header", header, value, offset=offset)]

    def _attribute(
        self, at: float, link: _Link, role: Role, operation: Operation, place: AttributeInfo, offset: int
    ) -> list[Line]:
        kind, handle, value, _, code = operation
        if place.subscription and value in SUBSCRIPTIONS and not operation.from_server:
            change = ConnectionChange(SUBSCRIPTIONS[value], place.uuid)
            return [self._line(at, link, role, LINK, NOTIFICATIONS, change, value, offset=offset)]
        if place is ELSEWHERE:
            self.counts["on unknown handles"] += 1
            return []
        if place.uuid == DEVICE_NAME and kind == READ:
            self._named(link, printable(value.decode("utf-8", "replace")))
        content = Attribute(place.uuid, handle, value, code)
        return [self._line(at, link, role, GATT, kind, content, value, offset=offset)]

    def _line(
        self,
        at: float,
        link: _Link,
        direction: Role | None,
        kind: str,
        message: str,
        content: LineContent,
        raw: bytes = b"",
        part: int = 0,
        offset: int = 0,
    ) -> Line:
        self._lines += 1
        self.counts[message] += 1
        known = link.device, link.family
        return Line(
            self._lines, at, link.number, *known, direction, kind, message, content, raw, part, offset,
            link.asked_secret,
        )  # fmt: skip
