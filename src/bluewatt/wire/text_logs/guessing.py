"""Guesses at what a text does not say: who sent bytes, and on which characteristic of the data service.

Each opcode is used by one side only (protocol page victronconnect-gatt, section 5); the control characteristic has
opcodes of its own, which no message begins with (section 4.2).
"""

from __future__ import annotations

from typing import Final

from bluewatt.tables.gatt import ControlOpcode, Opcode
from bluewatt.wire.bluetooth.att import NOTIFIED, READ, WRITE_WITHOUT_RESPONSE
from bluewatt.wire.victronconnect.grammar import ends_inside, read_messages
from bluewatt.wire.victronconnect.messages import Unknown

SENDER: Final = "who sent bytes: by what they say"
PLACE: Final = "on which characteristic bytes were: by what they say"

_OF_CLIENT: Final = frozenset(
    {
        Opcode.GET_DEVICES, Opcode.SUBSCRIBE, Opcode.UNSUBSCRIBE, Opcode.GET_VALUES, Opcode.SET_VALUES,
        Opcode.GET_PATH_LIST, Opcode.GET_PATH_VALUES, Opcode.SET_PATH_VALUES,
    }
)  # fmt: skip
_LONGEST_CONTROL, _HEADER_SIZE = 3, 7
_CONTROL_OPCODES: Final = frozenset(ControlOpcode)
_CONSUMED: Final = b"\xf9\x01"
"""The grant of a device, one message; clients grant more at once."""


def kind_of(data: bytes, *, control: bool = False) -> str:
    """Return how bytes travelled: written by the client, notified by the device, or read from it."""
    if control and len(data) == _HEADER_SIZE and data[0] not in _CONTROL_OPCODES:
        return READ
    first = data[0] if data else 0
    client = first in _OF_CLIENT
    if control or first in _CONTROL_OPCODES:
        client = first == ControlOpcode.LIMITS or (first == ControlOpcode.GRANT and data != _CONSUMED)
    return WRITE_WITHOUT_RESPONSE if client else NOTIFIED


def is_control(data: bytes) -> bool:
    """Return whether bytes are a frame of the control characteristic."""
    return 1 <= len(data) <= _LONGEST_CONTROL and data[0] in _CONTROL_OPCODES


def is_whole(data: bytes) -> bool:
    """Return whether bytes are one or more messages, none of an unknown kind, and nothing else."""
    messages, fault = read_messages(data)
    return bool(messages) and fault is None and not any(isinstance(message, Unknown) for message in messages)


def first_message(data: bytes) -> int | None:
    """Return where messages begin in bytes that start inside one; None unless one of them is whole."""
    opcodes = set(Opcode)
    for at in range(1, len(data) - 1):
        rest = data[at:]
        if rest[0] in opcodes and read_messages(rest)[0] and (is_whole(rest) or ends_inside(rest)):
            return at
    return None
