"""Advertisements as a sniffer hears them: LE link-layer packets, plain or behind a pseudo-header.

A packet is the access address, a PDU (two bytes of header, payload) and three bytes of CRC; advertising uses one fixed
access address. Layout: Bluetooth Core, volume 6, part B, sections 2.1 and 2.3. Pseudo-headers: LINKTYPE 256 of the
tcpdump registry; LINKTYPE 272, written by Nordic's nRF Sniffer, of which all versions that carry a header length keep
flags, channel and strength at the same places.
"""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

from bluewatt.errors import Malformed
from bluewatt.wire.bluetooth.hci_reports import AdvertisingReport
from bluewatt.wire.bluetooth.packets import PacketKind

ADVERTISING_ACCESS_ADDRESS: Final = 0x8E89BED6
"""The access address of every packet on an advertising channel."""

CRC_LENGTH: Final = 3
"""Bytes of CRC at the end of a packet."""

_EVENT_TYPES = {0: 0, 1: 1, 2: 3, 4: 4, 6: 2}
"""PDU types that carry a sender's address first → event type of the advertising report a controller makes of them."""

_DIRECTED, _EXTENDED = 1, 7
_NO_STRENGTH = 127
_RANDOM_SENDER = 0x40
_CODED = 2

_HEADER = struct.Struct("<BbbBIH")
_SIGNAL_VALID, _CRC_CHECKED, _CRC_VALID, _PHY_SHIFT = 0x0002, 0x0400, 0x0800, 14
_DECRYPTED = 0x0008
_DATA_DIRECTIONS = {2: True, 3: False}
"""The type of PDU in the flags of LINKTYPE 256, where it says who sent a data packet."""
_NORDIC_HEADER, _NORDIC_CRC_VALID, _NORDIC_PHY_SHIFT = 7, 0x01, 4
_NORDIC_FROM_CENTRAL, _NORDIC_DECRYPTED = 0x02, 0x0C
"""Length of the Nordic board number and packet header; the event header's own length stands right behind."""


class LinkLayerPacket(NamedTuple):
    """A link-layer packet without its pseudo-header."""

    crc_valid: bool
    """False only if the sniffer checked it and found it wrong."""
    rssi: int
    """Raw byte in two's complement, 127 if the capture does not say."""
    packet: bytes
    """From the access address to the CRC."""
    from_central: bool | None = None
    """The sender of a packet of a connection; None if the sniffer does not say."""
    decrypted: bool = False
    """Whether the sniffer had the key of the connection and removed the encryption."""


def unwrap_air(kind: int, data: bytes) -> LinkLayerPacket:
    """Remove the pseudo-header from a packet of one of the `AIR` kinds."""
    if kind == PacketKind.AIR:
        return LinkLayerPacket(True, _NO_STRENGTH, data)
    return _with_header(data) if kind == PacketKind.AIR_WITH_HEADER else _nordic(data)


def _with_header(data: bytes) -> LinkLayerPacket:
    if len(data) < _HEADER.size:
        raise Malformed(f"the link-layer pseudo-header is cut at {len(data)} bytes")
    _, signal, _, _, _, flags = _HEADER.unpack_from(data)
    bad = flags & _CRC_CHECKED and not flags & _CRC_VALID
    packet = _without_coding_indicator(data[_HEADER.size :], flags >> _PHY_SHIFT)
    strength = signal & 0xFF if flags & _SIGNAL_VALID else _NO_STRENGTH
    return LinkLayerPacket(not bad, strength, packet, _DATA_DIRECTIONS.get(flags >> 7 & 7), bool(flags & _DECRYPTED))


def _nordic(data: bytes) -> LinkLayerPacket:
    if len(data) < _NORDIC_HEADER + 4 or _NORDIC_HEADER + data[_NORDIC_HEADER] > len(data):
        raise Malformed(f"the Nordic sniffer header is cut at {len(data)} bytes")
    flags, strength = data[_NORDIC_HEADER + 1], data[_NORDIC_HEADER + 3]
    packet = data[_NORDIC_HEADER + data[_NORDIC_HEADER] :]
    # The strength is a magnitude: 60 means -60 dBm.
    return LinkLayerPacket(
        bool(flags & _NORDIC_CRC_VALID),
        -strength & 0xFF if strength <= 128 else _NO_STRENGTH,
        _without_coding_indicator(packet, flags >> _NORDIC_PHY_SHIFT & 7),
        bool(flags & _NORDIC_FROM_CENTRAL),
        flags & _NORDIC_DECRYPTED == _NORDIC_DECRYPTED,
    )


def _without_coding_indicator(packet: bytes, phy: int) -> bytes:
    """Remove the byte that, on the coded PHY, names the coding between access address and PDU."""
    return packet[:4] + packet[5:] if phy == _CODED else packet


def advertising_report(heard: LinkLayerPacket) -> AdvertisingReport | None:
    """Read an advertising PDU as the report a controller would make; None for data channels and scan requests.

    Extended advertising is read where the PDU itself names its sender; a chain of auxiliary packets is not followed.
    """
    packet = heard.packet
    if len(packet) < 6:
        raise Malformed(f"a link-layer packet of {len(packet)} bytes")
    if int.from_bytes(packet[:4], "little") != ADVERTISING_ACCESS_ADDRESS:
        return None
    kind, length = packet[4] & 0x0F, packet[5]
    body = packet[6 : 6 + length]
    if len(body) < length:
        raise Malformed(f"an advertising PDU claims {length} bytes in {len(body)}")
    address_type = 1 if packet[4] & _RANDOM_SENDER else 0
    if kind == _EXTENDED:
        return _extended(body, address_type, heard.rssi)
    if kind not in _EVENT_TYPES:
        return None
    if length < 6:
        raise Malformed("an advertising PDU is too short for its sender's address")
    data = b"" if kind == _DIRECTED else body[6:]
    return AdvertisingReport(_EVENT_TYPES[kind], address_type, body[:6], heard.rssi, data, stream=0xFF)


def _extended(body: bytes, address_type: int, rssi: int) -> AdvertisingReport | None:
    """Return the fields of the common extended payload: length and mode, then flags that say which fields follow."""
    if not body or 1 + (body[0] & 0x3F) > len(body):
        raise Malformed("an extended advertising PDU is cut in its header")
    header = body[1 : 1 + (body[0] & 0x3F)]
    if not header or not header[0] & 1:
        return None
    if len(header) < 7:
        raise Malformed("an extended advertising PDU is cut in its sender's address")
    return AdvertisingReport(body[0] >> 6, address_type, header[1:7], rssi, body[1 + len(header) :])
