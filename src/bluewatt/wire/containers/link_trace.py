"""The traffic of one of our own links as HCI packets, so that a capture of it reads like one made by the system.

A program sees characteristics, not packets: the packets written here carry the same values under the same handles; the
discovery is written as one question and answer per characteristic, with the UUIDs the system found.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from bluewatt.wire.bluetooth.att import (
    MTU_REQUEST,
    MTU_RESPONSE,
    NOTIFICATION,
    READ_REQUEST,
    READ_RESPONSE,
    WRITE_COMMAND,
    WRITE_REQUEST,
)
from bluewatt.wire.bluetooth.host_packets import att_packet, connection_event, disconnection_event, discovery
from bluewatt.wire.bluetooth.packets import FROM_CONTROLLER, TO_CONTROLLER, PacketKind
from bluewatt.wire.containers.btsnoop_writer import record

_WRITE_RESPONSE = 0x13


class LinkTrace:
    """The writer of one connection at a time; `write` takes records, `now` gives POSIX seconds."""

    def __init__(self, write: Callable[[bytes], object], now: Callable[[], float]) -> None:
        self._write = write
        self._now = now
        self._handle = 0x003F
        self._open = False

    def connected(self, address: str, uuids: Mapping[int, str], mtu: int) -> None:
        """Add the start of a connection to a device with these characteristics (value handle → UUID)."""
        self._handle += 1
        self._open = True
        self._event(connection_event(self._handle, address))
        self._att(TO_CONTROLLER, bytes([MTU_REQUEST]) + mtu.to_bytes(2, "little"))
        self._att(FROM_CONTROLLER, bytes([MTU_RESPONSE]) + mtu.to_bytes(2, "little"))
        for handle, uuid in sorted(uuids.items()):
            question, answer = discovery(handle, uuid)
            self._att(TO_CONTROLLER, question)
            self._att(FROM_CONTROLLER, answer)

    def wrote(self, handle: int, data: bytes, *, response: bool) -> None:
        """Add a write, with or without an answer."""
        opcode = WRITE_REQUEST if response else WRITE_COMMAND
        self._att(TO_CONTROLLER, bytes([opcode]) + handle.to_bytes(2, "little") + data)
        if response:
            self._att(FROM_CONTROLLER, bytes([_WRITE_RESPONSE]))

    def read(self, handle: int, data: bytes) -> None:
        """Add a read."""
        self._att(TO_CONTROLLER, bytes([READ_REQUEST]) + handle.to_bytes(2, "little"))
        self._att(FROM_CONTROLLER, bytes([READ_RESPONSE]) + data)

    def notified(self, handle: int, data: bytes) -> None:
        """Add a notification."""
        self._att(FROM_CONTROLLER, bytes([NOTIFICATION]) + handle.to_bytes(2, "little") + data)

    def disconnected(self) -> None:
        """Add the end of the connection; a second call does nothing."""
        if self._open:
            self._open = False
            self._event(disconnection_event(self._handle))

    def _event(self, event: bytes) -> None:
        self._write(record(self._now(), PacketKind.EVENT, FROM_CONTROLLER, event))

    def _att(self, direction: int, data: bytes) -> None:
        if not self._open:
            return
        self._write(record(self._now(), PacketKind.ACL, direction, att_packet(self._handle, direction, data)))
