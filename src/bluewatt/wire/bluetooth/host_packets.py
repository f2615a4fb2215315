"""HCI packets as a host would have recorded them: for our own links, for text logs, and for rebuilt captures."""

from __future__ import annotations

from typing import Final

from bluewatt.wire.bluetooth.att import READ_TYPE_REQUEST, READ_TYPE_RESPONSE
from bluewatt.wire.bluetooth.packets import FROM_CONTROLLER

ENDED_BY_US: Final = 0x16
"""The reason of a disconnection that the host itself asked for (Bluetooth Core, volume 1, part F)."""

_CONNECTED = b"\x3e\x13\x01\x00"
_CENTRAL, _RANDOM = 0, 1
_PARAMETERS = bytes((12, 0, 0, 0, 0x90, 1, 0))
_DISCONNECTED = b"\x05\x04\x00"
_ATT = b"\x04\x00"
_FIRST_FROM_DEVICE = 0x2000
_DECLARATION = b"\x03\x28"
_READ_WRITE_NOTIFY = 0x1A


def air_order(address: str) -> bytes:
    """Return an address in the byte order of packets; zeros for a text that is none (macOS hides addresses)."""
    digits = address.replace(":", "")
    try:
        raw = bytes.fromhex(digits)[::-1]
    except ValueError:
        raw = b""
    return raw if len(raw) == 6 else bytes(6)


def connection_event(handle: int, address: str) -> bytes:
    """Return the event that says a connection to `address` began."""
    return _CONNECTED + handle.to_bytes(2, "little") + bytes((_CENTRAL, _RANDOM)) + air_order(address) + _PARAMETERS


def disconnection_event(handle: int, reason: int = ENDED_BY_US) -> bytes:
    """Return the event that says a connection ended."""
    return _DISCONNECTED + handle.to_bytes(2, "little") + bytes([reason & 0xFF])


def att_packet(handle: int, direction: int, data: bytes) -> bytes:
    """Return the ACL packet that carries a packet of the attribute protocol, unfragmented."""
    packet = len(data).to_bytes(2, "little") + _ATT + data
    boundary = _FIRST_FROM_DEVICE if direction == FROM_CONTROLLER else 0
    return (handle | boundary).to_bytes(2, "little") + len(packet).to_bytes(2, "little") + packet


def discovery(handle: int, uuid: str) -> tuple[bytes, bytes]:
    """Return the question and the answer by which a client learns the UUID of the characteristic at a value handle."""
    declaration, value = (handle - 1).to_bytes(2, "little"), handle.to_bytes(2, "little")
    answer = declaration + bytes([_READ_WRITE_NOTIFY]) + value + bytes.fromhex(uuid.replace("-", ""))[::-1]
    question = bytes([READ_TYPE_REQUEST]) + declaration + b"\xff\xff" + _DECLARATION
    return question, bytes([READ_TYPE_RESPONSE, len(answer)]) + answer
