"""Connections as a sniffer hears them: plain data channels reassembled, encrypted ones reported as such.

A CONNECT_IND names both addresses and the access address under which the data packets follow. Layout: Bluetooth Core,
volume 6, part B, sections 2.3.3 and 2.4. A packet sent again (same sequence bit) is dropped.
Encrypted connections are decrypted if their long-term key is given.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from bluewatt.errors import CaptureError, Malformed
from bluewatt.wire.bluetooth.advertising_data import AddressTexts
from bluewatt.wire.bluetooth.att import CLIENT_OPCODES
from bluewatt.wire.bluetooth.hci_connections import (
    ATT_CHANNEL,
    FAR,
    MOST_LINKS,
    NEAR,
    Connected,
    Data,
    Disconnected,
    Encrypted,
    LinkEvent,
    Reassembly,
)
from bluewatt.wire.bluetooth.link_encryption import LinkCipher
from bluewatt.wire.bluetooth.link_layer import ADVERTISING_ACCESS_ADDRESS, LinkLayerPacket, unwrap_air
from bluewatt.wire.bluetooth.packets import Packet

_CONNECT, _CONNECT_LENGTH = 5, 34
_CONTINUED, _FIRST, _CONTROL = 1, 2, 3
_TERMINATE, _ENCRYPTION_REQUEST, _ENCRYPTION_ANSWER, _START_ENCRYPTION, _PAUSE_ENCRYPTION = 0x02, 0x03, 0x04, 0x05, 0x0A
_REQUEST_SIZE, _ANSWER_SIZE = 22, 12
_SIGNALLING, _SECURITY = 5, 6
_CHANNELS: Final = frozenset({ATT_CHANNEL, _SIGNALLING, _SECURITY})


class _Link:
    __slots__ = ("answer", "ciphers", "encrypted", "number", "request", "sequence", "sides")

    def __init__(self, number: int) -> None:
        self.number = number
        self.sides = (Reassembly(), Reassembly())
        self.sequence: list[bytes | None] = [None, None]
        """The last packet of each side, to recognise one that is sent again."""
        self.encrypted = False
        self.request = b""
        self.answer = b""
        self.ciphers: list[LinkCipher] = []
        """One per key that may be the right one; the first that decrypts a packet is kept, the others go."""


class AirLinks:
    """The connections of a sniffer's capture, as `HciLinks` for a host's."""

    def __init__(self, long_term_keys: Iterable[bytes] = ()) -> None:
        self.problems: list[CaptureError] = []
        self.opened = 0
        # Programs print a key in either byte order.
        self._keys = [order for key in long_term_keys for order in (key, key[::-1])]
        self.unreadable = 0
        """The number of data packets skipped because they were encrypted."""
        self._links: dict[bytes, _Link] = {}
        self._addresses = AddressTexts()

    def read(self, packet: Packet) -> LinkEvent | None:
        """Return what a packet means for a connection; None for advertisements, fragments and repetitions."""
        at, kind, _, data, offset, _ = packet
        try:
            heard = unwrap_air(kind, data)
        except Malformed:
            return None  # reported by the reader of advertisements, which gets the same packets
        body = heard.packet
        if not heard.crc_valid or len(body) < 6:
            return None
        if int.from_bytes(body[:4], "little") == ADVERTISING_ACCESS_ADDRESS:
            if body[4] & 0x0F == _CONNECT:
                return self._connect(at, body[6 : 6 + body[5]], offset)
            return None
        return self._data_channel(at, heard, offset)

    def _connect(self, at: float, body: bytes, offset: int) -> Connected | None:
        if len(body) < _CONNECT_LENGTH:
            self.problems.append(CaptureError(f"a connection request of {len(body)} bytes is cut", offset=offset))
            return None
        link = self._open(body[12:16])
        return Connected(at, link.number, (self._addresses[body[:6]], self._addresses[body[6:12]]), offset)

    def _data_channel(self, at: float, heard: LinkLayerPacket, offset: int) -> LinkEvent | None:
        packet = heard.packet
        kind, payload = packet[4] & 3, packet[6 : 6 + packet[5]]
        link = self._links.get(packet[:4])
        if link is None:
            if kind != _FIRST or not _believable(payload):
                return None
            link = self._open(packet[:4])
        secret = link.encrypted and not heard.decrypted and bool(payload)
        if secret and not link.ciphers:
            self.unreadable += 1
            return None
        side = _side(heard, kind, b"" if secret else payload, link)
        # The sequence bit and the content; a lone empty packet says nothing.
        mark = bytes([packet[4] & 0x0B]) + payload
        if link.sequence[side] == mark:
            return None
        link.sequence[side] = mark
        if not payload:
            return None
        if secret:
            plain = self._opened(link, packet[4], payload, side)
            if plain is None:
                return None
            payload = plain
        if kind == _CONTROL:
            return self._control(at, packet[:4], link, payload, offset)
        whole = link.sides[side].begin(payload) if kind == _FIRST else link.sides[side].go_on(payload)
        if whole is None:
            return None
        return Data(at, link.number, side, whole[2] | whole[3] << 8, whole[4:], offset)

    def _opened(self, link: _Link, header: int, payload: bytes, side: int) -> bytes | None:
        """Return the payload of an encrypted packet, decrypted with the key that fits."""
        for cipher in link.ciphers:
            plain = cipher.open(header, payload, from_central=side == NEAR)
            if plain is not None:
                link.ciphers = [cipher]
                return plain
        self.unreadable += 1
        return None

    def _control(self, at: float, access: bytes, link: _Link, payload: bytes, offset: int) -> LinkEvent | None:
        if payload[0] == _TERMINATE:
            del self._links[access]
            return Disconnected(at, link.number, payload[1] if len(payload) > 1 else 0, offset)
        if payload[0] == _ENCRYPTION_REQUEST and len(payload) > _REQUEST_SIZE:
            link.request = payload[1:]
        elif payload[0] == _ENCRYPTION_ANSWER and len(payload) > _ANSWER_SIZE:
            link.answer = payload[1:]
        elif payload[0] == _START_ENCRYPTION:
            link.encrypted = True
            if link.request and link.answer and self._keys:
                link.ciphers = [LinkCipher(key, link.request, link.answer) for key in self._keys]
                return None
            return Encrypted(at, link.number, offset)
        elif payload[0] == _PAUSE_ENCRYPTION:
            link.encrypted = False
        return None

    def _open(self, access: bytes) -> _Link:
        self.opened += 1
        if len(self._links) >= MOST_LINKS:
            del self._links[next(iter(self._links))]
        self._links.pop(access, None)
        link = self._links[access] = _Link(self.opened)
        return link


def _believable(payload: bytes) -> bool:
    """Return whether a packet of an unknown access address looks like one of a connection older than the capture."""
    if len(payload) < 5:
        return False
    length, channel = int.from_bytes(payload[:2], "little"), int.from_bytes(payload[2:4], "little")
    return channel in _CHANNELS and length >= len(payload) - 4


def _side(heard: LinkLayerPacket, kind: int, payload: bytes, link: _Link) -> int:
    """Return who sent a packet: as the sniffer says, else by what only a client or only a server sends."""
    if heard.from_central is not None:
        return NEAR if heard.from_central else FAR
    if kind == _CONTINUED:
        return FAR if link.sides[FAR].open else NEAR
    if kind == _FIRST and payload[2:4] == b"\x04\x00" and len(payload) > 4:
        return NEAR if payload[4] in CLIENT_OPCODES else FAR
    return NEAR
