"""Connections as a host records them: who is connected, and the reassembled packets of each connection.

An HCI capture shows connections by events (LE Connection Complete and its enhanced forms, Disconnection Complete) and
their data as ACL packets, of which several may carry one L2CAP packet. Layout: Bluetooth Core, volume 4, part E,
sections 5.4.2, 7.7.5, 7.7.65.1 and 7.7.65.10; volume 3, part A, section 3.1.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from bluewatt.errors import CaptureError
from bluewatt.wire.bluetooth.advertising_data import AddressTexts
from bluewatt.wire.bluetooth.packets import TO_CONTROLLER, Packet, PacketKind

NEAR, FAR = 0, 1
"""The two sides of a connection: the recording host (for a sniffer: the central), and its peer."""

ATT_CHANNEL: Final = 4
"""The L2CAP channel of the attribute protocol on LE links."""

LONGEST_L2CAP: Final = 0xFFFF + 4
MOST_LINKS: Final = 256
"""Most connections open at once; a capture that opens more without closing one is damaged."""

_DISCONNECTED, _COMMAND_COMPLETE, _ENCRYPTION_CHANGED, _LE_META = 0x05, 0x0E, 0x08, 0x3E
_COMPLETE, _ENHANCED, _ENHANCED_2 = 0x01, 0x0A, 0x29
_CONNECTED = frozenset({_COMPLETE, _ENHANCED, _ENHANCED_2})
_READ_ADDRESS, _SET_RANDOM_ADDRESS = b"\x09\x10", b"\x05\x20"
_CONTINUED = 1
_NOWHERE = bytes(6)

_EVENT, _ACL, _COMMAND = int(PacketKind.EVENT), int(PacketKind.ACL), int(PacketKind.COMMAND)


class Connected(NamedTuple):
    """The start of a connection; `addresses` of the near and the far side, None if the capture does not say."""

    at: float
    link: int
    """The running number of the connection in this capture."""
    addresses: tuple[str | None, str | None]
    offset: int


class Disconnected(NamedTuple):
    """The end of a connection; `reason` is the controller's code."""

    at: float
    link: int
    reason: int
    offset: int


class Encrypted(NamedTuple):
    """The start of encryption: from here on the packets of a connection cannot be read (captures of a sniffer only)."""

    at: float
    link: int
    offset: int


class Data(NamedTuple):
    """One whole L2CAP packet."""

    at: float
    link: int
    side: int
    """The sender: NEAR or FAR."""
    channel: int
    payload: bytes
    offset: int


LinkEvent = Connected | Disconnected | Encrypted | Data


class Reassembly:
    """The L2CAP packets of one side of one connection, from fragments that say whether they begin one."""

    __slots__ = ("_buffer", "_wanted")

    def __init__(self) -> None:
        self._buffer = b""
        self._wanted = 0

    @property
    def lost(self) -> int:
        """The number of bytes of a packet begun and not completed."""
        return len(self._buffer)

    @property
    def open(self) -> bool:
        """Whether a packet was begun and waits for the rest."""
        return bool(self._buffer)

    def begin(self, fragment: bytes) -> bytes | None:
        """Take a first fragment. Return the packet with its header if that is all of it."""
        self._buffer = b""
        wanted = 4 + int.from_bytes(fragment[:2], "little") if len(fragment) >= 2 else LONGEST_L2CAP
        if len(fragment) >= wanted:
            return fragment[:wanted]
        self._buffer, self._wanted = fragment, wanted
        return None

    def go_on(self, fragment: bytes) -> bytes | None:
        """Take a further fragment. Return the packet once it is complete, nothing if none was begun."""
        if not self._buffer:
            return None
        whole = self._buffer + fragment
        if self._wanted == LONGEST_L2CAP:
            return self.begin(whole)
        if len(whole) < self._wanted:
            self._buffer = whole
            return None
        self._buffer = b""
        return whole[: self._wanted]


class _Link:
    __slots__ = ("number", "sides")

    def __init__(self, number: int) -> None:
        self.number = number
        self.sides = (Reassembly(), Reassembly())


class HciLinks:
    """The connections of an HCI capture: takes packets, returns at most one event of a connection for each.

    A connection that began before the capture is opened by its first ATT packet, its addresses unknown. What is
    damaged is reported in `problems`, taken out by the caller; nothing is raised.
    """

    def __init__(self) -> None:
        self.problems: list[CaptureError] = []
        self.opened = 0
        """The number of connections so far."""
        self._links: dict[tuple[int, int], _Link] = {}
        self._addresses = AddressTexts()
        self._local: dict[int, str] = {}

    def read(self, packet: Packet) -> LinkEvent | None:
        """Return what a packet means for a connection; None for a fragment, and for what concerns no connection."""
        kind = packet[1]
        if kind == _ACL:
            return self._data(packet)
        if kind == _EVENT:
            return self._event(packet)
        if kind == _COMMAND and packet[3][:2] == _SET_RANDOM_ADDRESS and len(packet[3]) >= 9:
            self._local[packet[5]] = self._addresses[packet[3][3:9]]
        return None

    def _data(self, packet: Packet) -> Data | None:
        at, _, direction, data, offset, adapter = packet
        if len(data) < 4:
            self._problem(f"an ACL packet of {len(data)} bytes", offset)
            return None
        word, length = data[0] | data[1] << 8, data[2] | data[3] << 8
        if length != len(data) - 4:
            self._problem(f"an ACL packet claims {length} bytes in {len(data) - 4}", offset)
            return None
        boundary = word >> 12 & 3
        link = self._links.get((adapter, word & 0x0FFF))
        if link is None:
            if boundary == _CONTINUED or data[6:8] != b"\x04\x00":
                return None
            link = self._open(adapter, word & 0x0FFF)
        side = self._side(direction, boundary, link)
        part = link.sides[side]
        if boundary == _CONTINUED:
            if not part.open:
                self._problem("an ACL fragment continues a packet that was not begun", offset)
            whole = part.go_on(data[4:])
        else:
            if part.open:
                self._problem(f"a packet was cut: {part.lost} bytes of it are lost", offset)
            whole = part.begin(data[4:])
        if whole is None:
            return None
        return Data(at, link.number, side, whole[2] | whole[3] << 8, whole[4:], offset)

    def _side(self, direction: int | None, boundary: int, link: _Link) -> int:
        """Return who sent a packet; if the capture does not say, the boundary flag does, except in continuations."""
        if direction is not None:
            return NEAR if direction == TO_CONTROLLER else FAR
        if boundary == _CONTINUED:
            return FAR if link.sides[FAR].open else NEAR
        return FAR if boundary else NEAR

    def _event(self, packet: Packet) -> LinkEvent | None:
        at, _, _, data, offset, adapter = packet
        code = data[0] if data else 0
        if code == _LE_META and len(data) > 2 and data[2] in _CONNECTED:
            return self._connected(at, data, offset, adapter)
        if code == _DISCONNECTED and len(data) >= 6 and data[2] == 0:
            link = self._links.pop((adapter, (data[3] | data[4] << 8) & 0x0FFF), None)
            return Disconnected(at, link.number, data[5], offset) if link else None
        if code == _COMMAND_COMPLETE and data[3:5] == _READ_ADDRESS and len(data) >= 12:
            self._local.setdefault(adapter, self._addresses[data[6:12]])
        return None

    def _connected(self, at: float, data: bytes, offset: int, adapter: int) -> Connected | None:
        if len(data) < 21 or (data[2] != _COMPLETE and len(data) < 33):
            self._problem(f"a connection event of {len(data)} bytes is cut", offset)
            return None
        if data[3]:
            return None  # the attempt failed
        local = self._local.get(adapter)
        if data[2] != _COMPLETE and data[14:20] != _NOWHERE:
            local = self._addresses[data[14:20]]
        link = self._open(adapter, (data[4] | data[5] << 8) & 0x0FFF)
        far = None if data[8:14] == _NOWHERE else self._addresses[data[8:14]]
        return Connected(at, link.number, (local, far), offset)

    def _open(self, adapter: int, handle: int) -> _Link:
        self.opened += 1
        if len(self._links) >= MOST_LINKS:
            del self._links[next(iter(self._links))]
        self._links.pop((adapter, handle), None)
        link = self._links[adapter, handle] = _Link(self.opened)
        return link

    def _problem(self, what: str, offset: int) -> None:
        self.problems.append(CaptureError(what, offset=offset))


def is_report(kind: int, data: bytes) -> bool:
    """Return whether a packet is an HCI event with advertising reports, which nearly all of a capture is."""
    return kind == _EVENT and data[:1] == b"\x3e" and data[2:3] in (b"\x02", b"\x0d")
