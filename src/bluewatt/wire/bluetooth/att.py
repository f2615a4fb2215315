"""The attribute protocol, followed from outside: which characteristic was read, written or notified, and with what.

Handles are identified by the discovery in the capture; a question and its answer are matched here, long reads and
prepared writes are put together. Layout: Bluetooth Core, volume 3, part F, section 3.4.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

SMALLEST_MTU: Final = 23

ERROR, MTU_REQUEST, MTU_RESPONSE = 0x01, 0x02, 0x03
READ_TYPE_REQUEST, READ_TYPE_RESPONSE = 0x08, 0x09
READ_REQUEST, READ_RESPONSE, BLOB_REQUEST, BLOB_RESPONSE = 0x0A, 0x0B, 0x0C, 0x0D
GROUP_REQUEST, GROUP_RESPONSE = 0x10, 0x11
WRITE_REQUEST, PREPARE_REQUEST, EXECUTE_REQUEST = 0x12, 0x16, 0x18
NOTIFICATION, INDICATION, MULTIPLE_NOTIFICATION = 0x1B, 0x1D, 0x23
WRITE_COMMAND, SIGNED_WRITE = 0x52, 0xD2

CLIENT_OPCODES: Final = frozenset(
    {0x02, 0x04, 0x06, 0x08, 0x0A, 0x0C, 0x0E, 0x10, 0x12, 0x16, 0x18, 0x1E, 0x20, 0x52, 0xD2}
)
"""Opcodes only a client sends: requests, commands and the confirmation of an indication."""

VALUE_PARTS: Final = {READ_RESPONSE: 1, BLOB_RESPONSE: 1, PREPARE_REQUEST: 5, 0x17: 5}
"""Opcode of a packet that may carry a part of a value → where the part begins; 0x17 repeats a prepared write."""

_SIGNATURE = 12
_CHARACTERISTIC = 0x2803
_LONGEST_VALUE = 512
_MOST_PREPARED = 64
_MOST_HANDLES = 4096
_SHORT_UUID = "0000{:04x}-0000-1000-8000-00805f9b34fb"

ERROR_WORDS: Final = {
    0x01: "invalid handle", 0x02: "read not permitted", 0x03: "write not permitted", 0x05: "not paired",
    0x06: "request not supported", 0x07: "invalid offset", 0x08: "not authorised", 0x0A: "not found",
    0x0C: "encryption key too short", 0x0D: "invalid length", 0x0E: "unlikely error", 0x0F: "not encrypted",
    0x11: "no resources",
}  # fmt: skip


class Operation(NamedTuple):
    """One characteristic read, written or notified; `kind` is a word of `KINDS`."""

    kind: str
    handle: int
    value: bytes
    from_server: bool
    code: int = 0
    """Of an "error"."""


READ, WRITE, WRITE_WITHOUT_RESPONSE, SIGNED = "read", "write", "write_without_response", "signed_write"
NOTIFIED, INDICATED, REFUSED, MTU_AGREED = "notification", "indication", "refused", "mtu"
KINDS: Final = (READ, WRITE, WRITE_WITHOUT_RESPONSE, SIGNED, NOTIFIED, INDICATED, REFUSED, MTU_AGREED)


def uuid_text(raw: bytes) -> str:
    """Return a UUID of 2 or 16 bytes, lowest first, as text."""
    if len(raw) == 2:
        return _SHORT_UUID.format(int.from_bytes(raw, "little"))
    digits = raw[::-1].hex()
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


class Server:
    """One GATT server of a connection, as far as its client knows it, and the client's open request."""

    def __init__(self, uuids: dict[int, str] | None = None) -> None:
        self.uuids: dict[int, str] = uuids if uuids is not None else {}
        """Value handle → UUID of the characteristic, as discovered."""
        self.mtu = SMALLEST_MTU
        self._asked_mtu = SMALLEST_MTU
        self._question: tuple[int, int, bytes] = (0, 0, b"")
        """Opcode, handle and rest of the last request."""
        self._long: tuple[int, bytes] | None = None
        self._prepared: dict[int, bytes] = {}

    def receive(self, data: bytes) -> Iterator[Operation]:
        """Take one ATT packet of this server or of its client; packets too short for their kind are skipped."""
        opcode = data[0] if data else 0
        if opcode in (NOTIFICATION, INDICATION) and len(data) >= 3:
            kind = NOTIFIED if opcode == NOTIFICATION else INDICATED
            yield Operation(kind, data[1] | data[2] << 8, data[3:], True)
        elif reader := _READERS.get(opcode):
            try:
                yield from reader(self, data)
            except IndexError:
                return

    def close(self) -> Iterator[Operation]:
        """End the connection: a long read whose last part was as long as a part can be was complete."""
        yield from self._finish_read()

    def _handle(self, data: bytes) -> int:
        return data[1] | data[2] << 8

    def _write(self, data: bytes) -> Iterator[Operation]:
        yield from self._ask(data)
        yield Operation(WRITE, self._handle(data), data[3:], False)

    def _command(self, data: bytes) -> Iterator[Operation]:
        yield Operation(WRITE_WITHOUT_RESPONSE, self._handle(data), data[3:], False)

    def _signed(self, data: bytes) -> Iterator[Operation]:
        yield Operation(SIGNED, self._handle(data), data[3:-_SIGNATURE], False)

    def _ask(self, data: bytes) -> Iterator[Operation]:
        """Remember a request; a long read that is not continued was complete."""
        handle = self._handle(data)
        if self._long and not (data[0] == BLOB_REQUEST and handle == self._long[0]):
            yield from self._finish_read()
        self._question = data[0], handle, data[3:]

    def _finish_read(self) -> Iterator[Operation]:
        if self._long:
            handle, value = self._long
            self._long = None
            yield Operation(READ, handle, value, True)

    def _read(self, data: bytes) -> Iterator[Operation]:
        opcode, handle, rest = self._question
        if opcode == READ_REQUEST and data[0] == READ_RESPONSE:
            self._long = handle, data[1:]
        elif opcode == BLOB_REQUEST and data[0] == BLOB_RESPONSE:
            before = self._long[1] if self._long and self._long[0] == handle else b""
            if not before and any(rest[:2]):
                return  # the rest of a value whose beginning is not in the capture, or was reported already
            self._long = handle, (before + data[1:])[:_LONGEST_VALUE]
        if len(data) < self.mtu:
            yield from self._finish_read()

    def _read_by_type(self, data: bytes) -> Iterator[Operation]:
        """Return characteristic declarations, or values requested by their type."""
        size, (_, _, rest) = data[1], self._question
        if size < 2:
            return
        for at in range(2, len(data) - size + 1, size):
            entry = data[at : at + size]
            if rest[2:] == _CHARACTERISTIC.to_bytes(2, "little"):
                if size >= 7 and len(self.uuids) < _MOST_HANDLES:
                    self.uuids[entry[3] | entry[4] << 8] = uuid_text(entry[5:])
            else:
                handle = entry[0] | entry[1] << 8
                if len(rest) in (4, 18):
                    self.uuids.setdefault(handle, uuid_text(rest[2:]))
                yield Operation(READ, handle, entry[2:], True)

    def _prepare(self, data: bytes) -> Iterator[Operation]:
        yield from self._ask(data)
        handle, offset = self._handle(data), data[3] | data[4] << 8
        if len(self._prepared) < _MOST_PREPARED and offset <= _LONGEST_VALUE:
            self._prepared[handle] = (self._prepared.get(handle, b"")[:offset] + data[5:])[:_LONGEST_VALUE]

    def _execute(self, data: bytes) -> Iterator[Operation]:
        prepared, self._prepared = self._prepared, {}
        for handle, value in prepared.items() if data[1] else ():
            yield Operation(WRITE, handle, value, False)

    def _refused(self, data: bytes) -> Iterator[Operation]:
        if data[1] == BLOB_REQUEST:
            yield from self._finish_read()
        elif data[1] in (READ_REQUEST, WRITE_REQUEST, PREPARE_REQUEST):
            yield Operation(REFUSED, data[2] | data[3] << 8, b"", True, data[4])

    def _mtu_request(self, data: bytes) -> Iterator[Operation]:
        self._asked_mtu = self._handle(data)
        return iter(())

    def _mtu_response(self, data: bytes) -> Iterator[Operation]:
        self.mtu = max(SMALLEST_MTU, min(self._asked_mtu, self._handle(data)))
        yield Operation(MTU_AGREED, self.mtu, b"", True)

    def _several(self, data: bytes) -> Iterator[Operation]:
        """Return several notifications in one packet, each with its handle and length."""
        at = 1
        while at + 4 <= len(data):
            length = data[at + 2] | data[at + 3] << 8
            yield Operation(NOTIFIED, data[at] | data[at + 1] << 8, data[at + 4 : at + 4 + length], True)
            at += 4 + length


_READERS: Final[dict[int, Callable[[Server, bytes], Iterator[Operation]]]] = {
    WRITE_COMMAND: Server._command,
    WRITE_REQUEST: Server._write,
    SIGNED_WRITE: Server._signed,
    READ_REQUEST: Server._ask,
    BLOB_REQUEST: Server._ask,
    READ_TYPE_REQUEST: Server._ask,
    GROUP_REQUEST: Server._ask,
    READ_RESPONSE: Server._read,
    BLOB_RESPONSE: Server._read,
    READ_TYPE_RESPONSE: Server._read_by_type,
    PREPARE_REQUEST: Server._prepare,
    EXECUTE_REQUEST: Server._execute,
    ERROR: Server._refused,
    MTU_REQUEST: Server._mtu_request,
    MTU_RESPONSE: Server._mtu_response,
    MULTIPLE_NOTIFICATION: Server._several,
}
"""Opcode → its handler; other opcodes carry no values."""
