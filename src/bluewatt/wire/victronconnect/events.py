"""What a session tells its owner besides the messages and control frames that arrived."""

from __future__ import annotations

import enum

import msgspec

from bluewatt.wire.victronconnect.control import ControlFrame
from bluewatt.wire.victronconnect.messages import Message
from bluewatt.wire.victronconnect.reassembly import ProtocolError


class Role(enum.Enum):
    """Which side of the connection; the values are the words of `"direction"` in readings."""

    CLIENT = "client"
    DEVICE = "device"


class Stalled(msgspec.Struct, frozen=True, gc=False):
    """The device gave no slot in time; the session goes on without.

    Example: a charger that never grants, or a lost notification.
    """

    waited: float


class Unanswered(msgspec.Struct, frozen=True):
    """Registers asked for and not answered in time, in any array dialect; pairs of instance and register."""

    registers: tuple[tuple[int, int], ...]


class DialectChanged(msgspec.Struct, frozen=True, gc=False):
    """The device ignored or refused one array dialect; from here on the other is tried."""

    indefinite: bool


class Expired(msgspec.Struct, frozen=True, gc=False):
    """The client's keep-alive did not come in time: the device disconnects now."""


Event = Message | ControlFrame | ProtocolError | Stalled | Unanswered | DialectChanged | Expired
"""All that `Session.receive` and `Session.on_time` return."""
