"""What every capture container delivers: a time, a kind, a direction, the bytes, and where they stood.

A container stores packets under a link type; what the link types wrap around a packet (packet indicators, direction
words, monitor opcodes) is removed here, so that the layers above see one form only. Numbers of link types: the
tcpdump LINKTYPE registry and the btsnoop datalink codes; packet indicators: Bluetooth Core, volume 4, part A.
"""

from __future__ import annotations

from enum import IntEnum

from bluewatt.errors import Malformed
from bluewatt.wire.bluetooth.packets import FROM_CONTROLLER, TO_CONTROLLER, PacketKind


class LinkType(IntEnum):
    """A way packets are framed inside a container; btsnoop's datalink codes begin at 1001, the rest are LINKTYPEs."""

    USER_NORDIC = 157
    H4 = 187
    H4_WITH_DIRECTION = 201
    AIR = 251
    MONITOR = 254
    AIR_WITH_HEADER = 256
    AIR_NORDIC = 272
    BTSNOOP_H1 = 1001
    BTSNOOP_H4 = 1002
    BTSNOOP_MONITOR = 2001


AIR_KINDS: dict[int, PacketKind] = {
    LinkType.USER_NORDIC: PacketKind.AIR_NORDIC,
    LinkType.AIR: PacketKind.AIR,
    LinkType.AIR_WITH_HEADER: PacketKind.AIR_WITH_HEADER,
    LinkType.AIR_NORDIC: PacketKind.AIR_NORDIC,
}
"""Link-layer framings, handed on with their pseudo-header; 157 is what old Nordic sniffers wrote (user-defined)."""

MONITOR_OPCODES: dict[int, tuple[PacketKind, int]] = {
    2: (PacketKind.COMMAND, TO_CONTROLLER),
    3: (PacketKind.EVENT, FROM_CONTROLLER),
    4: (PacketKind.ACL, TO_CONTROLLER),
    5: (PacketKind.ACL, FROM_CONTROLLER),
    6: (PacketKind.SYNCHRONOUS, TO_CONTROLLER),
    7: (PacketKind.SYNCHRONOUS, FROM_CONTROLLER),
    18: (PacketKind.ISOCHRONOUS, TO_CONTROLLER),
    19: (PacketKind.ISOCHRONOUS, FROM_CONTROLLER),
}
"""Opcodes of the Linux monitor channel that carry HCI packets; all others are notices about the adapter."""

PACKET_LENGTHS = {
    PacketKind.COMMAND: (3, 2, 1),
    PacketKind.ACL: (4, 2, 2),
    PacketKind.SYNCHRONOUS: (3, 2, 1),
    PacketKind.EVENT: (2, 1, 1),
    PacketKind.ISOCHRONOUS: (4, 2, 2),
}
"""Kind → length of a packet's own header, where in it the length of the rest stands, and in how many bytes."""
_ISO_LENGTH = 0x3FFF

_H4_DIRECTIONS: dict[int, int] = {PacketKind.COMMAND: TO_CONTROLLER, PacketKind.EVENT: FROM_CONTROLLER}

Framed = tuple[int, int | None, bytes, int]
"""`(kind, direction, data, adapter)`: a packet without the wrapping of its link type."""


def unwrap(link: int, direction: int | None, data: bytes) -> Framed:
    """Remove the wrapping of a pcap or pcapng link type from a packet; raise `Malformed` if it is cut."""
    if link in (LinkType.H4, LinkType.H4_WITH_DIRECTION):
        return _unwrap_h4(link, direction, data)
    if link == LinkType.MONITOR:
        if len(data) < 4:
            raise Malformed(f"monitor packet of {len(data)} bytes has no opcode")
        kind, way = MONITOR_OPCODES.get(int.from_bytes(data[2:4], "big"), (PacketKind.NOTE, None))
        return kind, way, data[4:], int.from_bytes(data[:2], "big")
    return AIR_KINDS[link], direction, data, 0


def _unwrap_h4(link: int, direction: int | None, data: bytes) -> Framed:
    if link == LinkType.H4_WITH_DIRECTION:
        direction, data = data[3] & 1 if len(data) > 3 else None, data[4:]
    if not data:
        raise Malformed("H4 packet without a packet indicator")
    kind = data[0]
    if direction is None:
        direction = _H4_DIRECTIONS.get(kind)
    return kind, direction, data[1:], 0


def unwrap_btsnoop(link: int, flags: int, data: bytes) -> Framed:
    """Remove the wrapping of a btsnoop record; its `flags` word says direction and kind, or adapter and opcode."""
    if link == LinkType.BTSNOOP_MONITOR:
        kind, way = MONITOR_OPCODES.get(flags & 0xFFFF, (PacketKind.NOTE, None))
        return kind, way, data, flags >> 16
    direction = flags & 1
    if link == LinkType.BTSNOOP_H1:
        if not flags & 2:
            return PacketKind.ACL, direction, data, 0
        return (PacketKind.EVENT if direction else PacketKind.COMMAND), direction, data, 0
    if not data:
        raise Malformed("H4 packet without a packet indicator")
    return data[0], direction, data[1:], 0


def packet_length(packet: bytes) -> int | None:
    """Return how long a packet with its indicator says it is; None if it does not reach that far."""
    layout = PACKET_LENGTHS.get(PacketKind(packet[0])) if packet[:1] and packet[0] in PACKET_LENGTHS else None
    if layout is None or len(packet) <= layout[0]:
        return None
    size, at, width = layout
    rest = int.from_bytes(packet[1 + at : 1 + at + width], "little")
    return 1 + size + (rest & _ISO_LENGTH if packet[0] == PacketKind.ISOCHRONOUS else rest)
