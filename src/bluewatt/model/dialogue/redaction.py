"""A capture made safe to share: what names a person's devices is replaced, what is not understood is left out. Pure.

Two passes over the packets: the first (`learn`) finds keys, names and serial numbers wherever they stand, the second
(`rewrite`) writes the capture anew. Only what is known to be harmless once rewritten is kept: advertisements of Victron
devices, connections, and the attribute protocol on them. Pairing, keys of the link, other devices and all commands are
left out. Instant Readout with a known key is encrypted again with a substitute key, which `substitute_keys` names.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Iterator
from contextlib import suppress
from enum import Enum

import msgspec

from bluewatt.errors import WireError
from bluewatt.model.dialogue.conversation import CONTROL, GATT, VREG, Attribute, Conversation, Line
from bluewatt.model.dialogue.gatt_handles import ELSEWHERE, SUBSCRIPTIONS, HandleMap
from bluewatt.model.dialogue.pseudonyms import Pseudonyms
from bluewatt.model.dialogue.sentences import SECRET_ATTRIBUTES, holds_secret
from bluewatt.model.keys import KeyRing
from bluewatt.tables.compounds import NODE_LISTS
from bluewatt.tables.gatt import DEVICE_NAME, DataCharacteristic
from bluewatt.tables.registers import Register, lookup
from bluewatt.wire.bluetooth.advertisement_reader import AdvertisementReader
from bluewatt.wire.bluetooth.att import CLIENT_OPCODES, READ, READ_RESPONSE, VALUE_PARTS, Server
from bluewatt.wire.bluetooth.hci_connections import ATT_CHANNEL, FAR, NEAR, Connected, Data, Disconnected, HciLinks
from bluewatt.wire.bluetooth.host_packets import att_packet, connection_event
from bluewatt.wire.bluetooth.packets import FROM_CONTROLLER, TO_CONTROLLER, Packet, PacketKind
from bluewatt.wire.containers.btsnoop_writer import FILE_START, advertisement_records, record
from bluewatt.wire.instant_readout.advertisement import HEADER_LENGTH, is_vesmart, parse_advertisement
from bluewatt.wire.instant_readout.cipher import Key, apply
from bluewatt.wire.registers.values import decode_value, encode_value
from bluewatt.wire.victronconnect.grammar import build_message, read_messages
from bluewatt.wire.victronconnect.messages import Message, SetValues, Unknown, ValueMessage

_MOST_HELD = 4096
_TYPES_KNOWN_BY_HEADER = HEADER_LENGTH - 1


class LeftOut(Enum):
    """What a packet that was left out holds: the noun for one, and for several."""

    NAME = ("name of another device", "names of other devices")
    BROADCAST = ("VE.Smart broadcast", "VE.Smart broadcasts")
    OTHER_CONNECTION = (
        "packet of a connection with another device",
        "packets of connections with other devices",
    )
    CONTROL = ("packet of pairing, commands or events", "packets of pairing, commands and events")

    def noun(self, count: int) -> str:
        """Return the noun that goes with a count."""
        one, many = self.value
        return one if count == 1 else many


class _HeldPacket(msgspec.Struct):
    """A packet of a connection, held until the message that it is a part of is whole."""

    at: float
    handle: int
    side: int
    data: bytes
    ready: bool = True


class _OpenMessage(msgspec.Struct):
    """The chunks of an incomplete message: the packets, and where in each the chunk begins."""

    chunks: list[tuple[_HeldPacket, int]] = []


class _Link:
    """The state of one connection."""

    def __init__(self, handle: int) -> None:
        self.handle = handle
        self.servers = (Server(), Server())
        self.handles = tuple(HandleMap(server) for server in self.servers)
        self.open: dict[tuple[int, int, bool], _OpenMessage] = {}


class Redactor:
    """Rewrites one HCI capture: `learn` all packets first, then `rewrite` them, then `finish`."""

    def __init__(self, keys: KeyRing | None = None) -> None:
        self.substitutes = Pseudonyms()
        self.dropped: Counter[LeftOut] = Counter()
        """Packets left out, by what they hold."""
        self._keys = keys if keys is not None else KeyRing()
        self._learner, self._conversation = HciLinks(), Conversation(self._keys)
        self._advertisements, self._writer = AdvertisementReader(), HciLinks()
        self._links: dict[int, _Link] = {}
        self._ours: set[int] = set()
        """The connections to Victron devices; all others are left out."""
        self._queue: deque[_HeldPacket | bytes] = deque()

    @property
    def substitute_keys(self) -> dict[str, bytes]:
        """The substitute key of each device that has a key, by its substitute address."""
        return {
            self.substitutes.address(address): self.substitutes.key(key)
            for address in self.substitutes.addresses
            if (key := self._keys.of(address)) is not None
        }

    def learn(self, packets: Iterable[Packet]) -> None:
        """Find what must be replaced."""
        for packet in packets:
            event = self._learner.read(packet)
            for line in self._conversation.receive(event) if event else ():
                self._learn_line(line)
        for key in self._conversation.keys_seen.values():
            self.substitutes.key(key)

    def _learn_line(self, line: Line) -> None:
        content = line.content
        named = isinstance(content, Attribute) and content.uuid == DEVICE_NAME
        if line.kind in (VREG, CONTROL, GATT) and not named:
            self._ours.add(line.link)
            self.substitutes.address(line.device.address)
        pairs: tuple[tuple[int, bytes], ...] = ()
        if isinstance(content, ValueMessage):
            pairs = ((content.register, content.value),)
        elif isinstance(content, SetValues):
            pairs = content.writes
        elif named and isinstance(content, Attribute) and line.message == READ:
            self.substitutes.text(content.value)
        for register, raw in pairs:
            row = lookup(register, line.family)
            if row and row.layout == NODE_LISTS:
                self._nodes(row, raw)
            elif row and (row.personal or row.secret):
                self._replaced(row, raw)

    def rewrite(self, packets: list[Packet]) -> bytes:
        """Return the records of the packets to keep, up to the first message that is incomplete."""
        for packet in packets:
            if packet[1] == PacketKind.EVENT and packet[3][:1] == b"\x3e" and packet[3][2:3] in (b"\x02", b"\x0d"):
                self._advertisement(packet)
            else:
                self._connection(packet)
        return self._drain()

    def finish(self) -> bytes:
        """Return the remaining records; a message that was never ended loses what may be secret in it."""
        for link in self._links.values():
            self._complete_all(link)
        return self._drain()

    def _advertisement(self, packet: Packet) -> None:
        for at, address, kind, rssi, _, payload, name in self._advertisements.read([packet]):
            if payload is None and address not in self.substitutes.addresses:
                self.dropped[LeftOut.NAME] += 1
                continue
            if payload is not None and is_vesmart(payload):
                self.dropped[LeftOut.BROADCAST] += 1
                continue
            sealed = self._reencrypted(address, payload) if payload is not None else None
            text = self.substitutes.name(name) if name is not None else None
            self._queue.append(
                advertisement_records(at, self.substitutes.address(address), sealed, text, rssi, address_type=kind)
            )

    def _reencrypted(self, address: str, payload: bytes) -> bytes:
        """Return an advertisement with its record encrypted by the substitute key, if the device's key is known."""
        key = self._keys.of(address)
        with suppress(WireError):
            advertisement = parse_advertisement(payload)
            if key is not None and advertisement.sealed and advertisement.key_check == key[0]:
                new = Key(self.substitutes.key(key))
                plain = apply(key, advertisement.nonce, advertisement.body)
                head = payload[: len(payload) - len(plain)]
                return head[:_TYPES_KNOWN_BY_HEADER] + new[:1] + apply(new, advertisement.nonce, plain)
        return payload

    def _connection(self, packet: Packet) -> None:
        event = self._writer.read(packet)
        if isinstance(event, Connected) and event.addresses[FAR] in self.substitutes.addresses:
            self._ours.add(event.link)
        if event is not None and event.link not in self._ours:
            self.dropped[LeftOut.OTHER_CONNECTION] += 1
        elif isinstance(event, Connected):
            handle = int.from_bytes(packet[3][4:6], "little") & 0x0FFF
            self._links[event.link] = _Link(handle)
            self._queue.append(record(event.at, PacketKind.EVENT, FROM_CONTROLLER, self._connected(event, handle)))
        elif isinstance(event, Disconnected):
            link = self._links.pop(event.link, None)
            if link:
                self._complete_all(link)
            self._queue.append(record(event.at, PacketKind.EVENT, FROM_CONTROLLER, packet[3]))
        elif isinstance(event, Data) and event.channel == ATT_CHANNEL and event.payload:
            handle = int.from_bytes(packet[3][:2], "little") & 0x0FFF
            self._data(self._links.setdefault(event.link, _Link(handle)), event)
        elif event is not None or packet[1] != PacketKind.ACL:
            self.dropped[LeftOut.CONTROL] += 1

    def _connected(self, event: Connected, handle: int) -> bytes:
        peer = self.substitutes.address(event.addresses[FAR] or event.addresses[NEAR] or "")
        return connection_event(handle, peer)

    def _data(self, link: _Link, event: Data) -> None:
        side, payload = event.side, event.payload
        of_client = payload[0] in CLIENT_OPCODES
        server = 1 - side if of_client else side
        held = _HeldPacket(event.at, link.handle, side, payload)
        self._queue.append(held)
        for operation in link.servers[server].receive(payload):
            kind, handle, value, from_server, _ = operation
            place = link.handles[server].place(handle, value, from_server=from_server, read=kind == READ)
            unknown = place is ELSEWHERE and value not in SUBSCRIPTIONS
            if (unknown or place.uuid in SECRET_ATTRIBUTES) and value and payload.endswith(value):
                held.data = payload[: len(payload) - len(value)] + bytes(len(value))
            elif place.characteristic in (DataCharacteristic.LAST, DataCharacteristic.BULK) and payload.endswith(value):
                last = place.characteristic is DataCharacteristic.LAST
                self._chunk(link, (server, place.copy, of_client), held, len(payload) - len(value), last=last)
                return
        start = VALUE_PARTS.get(payload[0], len(payload))
        if payload[0] == READ_RESPONSE and len(payload) < link.servers[server].mtu:
            start = len(payload)  # a whole value, already replaced above
        held.data = self.substitutes.everywhere(held.data[:start]) + self.substitutes.part(held.data[start:])

    def _chunk(self, link: _Link, stream: tuple[int, int, bool], held: _HeldPacket, start: int, *, last: bool) -> None:
        message = link.open.setdefault(stream, _OpenMessage(chunks=[]))
        message.chunks.append((held, start))
        held.ready = False
        if last or len(message.chunks) > _MOST_HELD:
            del link.open[stream]
            self._complete(message, of_client=stream[2])

    def _complete_all(self, link: _Link) -> None:
        for (_, _, of_client), message in link.open.items():
            self._complete(message, of_client=of_client)
        link.open.clear()

    def _complete(self, message: _OpenMessage, *, of_client: bool) -> None:
        """Rewrite a message, put it back into its chunks, and release them."""
        whole = b"".join(held.data[start:] for held, start in message.chunks)
        safe = self._rewritten(whole, of_client=of_client)
        position = 0
        for held, start in message.chunks:
            size = len(held.data) - start
            held.data = held.data[:start] + safe[position : position + size]
            held.ready = True
            position += size

    def _rewritten(self, whole: bytes, *, of_client: bool) -> bytes:
        """Return a message without personal content; of a damaged one of the device, zeros of its length."""
        messages, fault = read_messages(whole)
        clear = fault is None and not any(isinstance(message, Unknown) for message in messages)
        if clear and b"".join(map(build_message, messages)) == whole:
            return self.substitutes.everywhere(b"".join(build_message(self._message(message)) for message in messages))
        if not of_client or holds_secret(whole) or any(isinstance(message, SetValues) for message in messages):
            return bytes(len(whole))
        return self.substitutes.everywhere(whole)

    def _message(self, message: Message) -> Message:
        if isinstance(message, ValueMessage):
            return msgspec.structs.replace(message, value=self._content(message.register, message.value))
        if isinstance(message, SetValues):
            writes = tuple((register, self._content(register, raw)) for register, raw in message.writes)
            return msgspec.structs.replace(message, writes=writes)
        return message

    def _content(self, register: int, raw: bytes) -> bytes:
        row = lookup(register, None)
        if row is None or not raw:
            return raw
        if row.layout == NODE_LISTS:
            return self._nodes(row, raw)
        return self._replaced(row, raw) if row.personal or row.secret else raw

    def _replaced(self, row: Register, raw: bytes) -> bytes:
        known = self.substitutes.addresses
        address = raw.hex(":").upper()
        if address in known:
            return bytes.fromhex(known[address].replace(":", ""))
        if row.secret:
            return self.substitutes.key(raw)[: len(raw)].ljust(len(raw), b"\0")
        return self.substitutes.text(raw)

    def _nodes(self, row: Register, raw: bytes) -> bytes:
        """Return a list of devices in range with their numbers replaced."""
        with suppress(WireError):
            values = decode_value(row, raw)
            for node in values.get("nodes", ()):
                node["address"] = self.substitutes.number(node["address"])
            made = encode_value(row, values)
            if len(made) == len(raw):
                return made
        return raw[:1] + bytes(len(raw) - 1)

    def _drain(self) -> bytes:
        parts: list[bytes] = []
        while self._queue:
            first = self._queue[0]
            if isinstance(first, bytes):
                parts.append(first)
            elif first.ready:
                parts.append(_acl_record(first))
            else:
                break
            self._queue.popleft()
        return b"".join(parts)


def _acl_record(held: _HeldPacket) -> bytes:
    direction = TO_CONTROLLER if held.side == NEAR else FROM_CONTROLLER
    return record(held.at, PacketKind.ACL, direction, att_packet(held.handle, direction, held.data))


def redact_packets(
    first: Iterable[list[Packet]], second: Iterable[list[Packet]], redactor: Redactor
) -> Iterator[bytes]:
    """Yield the redacted capture in pieces; `first` and `second` are the same packets, read twice."""
    for packets in first:
        redactor.learn(packets)
    yield FILE_START
    for packets in second:
        yield redactor.rewrite(packets)
    yield redactor.finish()
