"""A connection observed from outside: the receiving halves of both sides; nothing is ever sent."""

from __future__ import annotations

from collections.abc import Sequence

from bluewatt.tables.gatt import DataCharacteristic
from bluewatt.wire.victronconnect.control import Drop, Grant, parse_control
from bluewatt.wire.victronconnect.events import Event, Role
from bluewatt.wire.victronconnect.reassembly import Inbox, ProtocolError

_OTHER = {Role.CLIENT: Role.DEVICE, Role.DEVICE: Role.CLIENT}


class Observer:
    """The observer of one connection of a capture; `reset` at each new connection and at each disconnection."""

    def __init__(self) -> None:
        self._inboxes = {role: Inbox() for role in Role}
        self.credit = dict.fromkeys(Role, 0)
        """The number of messages each side may still send by the grants seen; negative if one sent without."""

    def reset(self) -> dict[Role, bytes]:
        """Forget the connection; the bytes of messages that were never completed, by sender."""
        leftover = {role: inbox.pending for role, inbox in self._inboxes.items() if inbox.pending}
        for role, inbox in self._inboxes.items():
            inbox.clear()
            self.credit[role] = 0
        return leftover

    def pending(self, sender: Role) -> bytes:
        """Return the bytes of a message that its sender has not completed."""
        return self._inboxes[sender].pending

    def receive(self, sender: Role, characteristic: DataCharacteristic, data: bytes) -> Sequence[Event]:
        """Take one write (sender CLIENT) or notification (sender DEVICE). Return what it completes or says.

        Of a damaged message the records before the damage come first, then the `ProtocolError`.
        """
        if characteristic is DataCharacteristic.CONTROL:
            return (self._receive_control(sender, data),)
        received = self._inboxes[sender].receive(characteristic, data)
        if received is None:
            return ()
        self.credit[sender] -= 1
        return (*received.good, received) if isinstance(received, ProtocolError) else received

    def _receive_control(self, sender: Role, data: bytes) -> Event:
        frame = parse_control(data)
        if isinstance(frame, Grant):
            self.credit[_OTHER[sender]] += frame.messages
        elif isinstance(frame, Drop):
            self._inboxes[sender].clear()
        return frame
