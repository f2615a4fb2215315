"""The events a session reports to its owner besides the messages and control frames that arrived."""

from __future__ import annotations

import enum

import msgspec

from bluewatt.wire.victronconnect.control import ControlFrame
from bluewatt.wire.victronconnect.messages import Message
from bluewatt.wire.victronconnect.reassembly import ProtocolError


class Role(enum.Enum):
    """A side of the connection; the values are the words of `"direction"` in readings."""

    CLIENT = "client"
    DEVICE = "device"


class Stalled(msgspec.Struct, frozen=True, gc=False):
    """The lack of a slot: the device granted none in time; the session continues without.

    Example: a charger that never grants, or a lost notification.
    """

    waited: float


class Unanswered(msgspec.Struct, frozen=True):
    """Registers requested and not answered in time, in any array dialect; pairs of instance and register."""

    registers: tuple[tuple[int, int], ...]


class DialectChanged(msgspec.Struct, frozen=True, gc=False):
    """A change of array dialect: the device ignored or refused one, and the other is tried from here on."""

    indefinite: bool


class Expired(msgspec.Struct, frozen=True, gc=False):
    """The lack of a keep-alive: it did not come in time, and the device disconnects now."""


Event = Message | ControlFrame | ProtocolError | Stalled | Unanswered | DialectChanged | Expired
"""Any event that `Session.receive` and `Session.on_time` return."""
