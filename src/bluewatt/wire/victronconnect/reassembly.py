"""From chunks to messages and back: the half of a session that does not depend on the role.

Protocol page victronconnect-gatt, section 6: all chunks of a message but the last arrive on the bulk characteristic,
the last on the other one, cuts fall anywhere, and one message may hold several records back to back.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from bluewatt.tables.gatt import DataCharacteristic
from bluewatt.wire.victronconnect.grammar import read_messages
from bluewatt.wire.victronconnect.messages import Message

LONGEST_MESSAGE = 4096
"""Most bytes kept of one message. Peers announce 255 or less; this bounds the memory a hostile one can take."""


class ChunkWrite(msgspec.Struct, frozen=True, gc=False):
    """One chunk to write (client) or notify (device)."""

    characteristic: DataCharacteristic
    data: bytes


class ProtocolError(msgspec.Struct, frozen=True):
    """A message that does not parse whole; `good` keeps the records before the damage, which may be damaged too.

    Example: a lost chunk, or a bulk sequence never ended, glued in front of the next message.
    """

    reason: str
    data: bytes
    good: tuple[Message, ...] = ()


class Inbox:
    """The input of one side of one connection on the two data characteristics, in arrival order."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._overflown = False

    @property
    def pending(self) -> bytes:
        """The bytes of a message that is not complete."""
        return bytes(self._buffer)

    def clear(self) -> None:
        """Forget what is pending."""
        self._buffer.clear()
        self._overflown = False

    def receive(self, characteristic: DataCharacteristic, data: bytes) -> list[Message] | ProtocolError | None:
        """Add a chunk. Return the records of the message it completes, an error, or None while it is incomplete."""
        if characteristic is DataCharacteristic.LAST and not self._buffer:
            return _read(bytes(data))
        self._overflown = self._overflown or len(self._buffer) + len(data) > LONGEST_MESSAGE
        if not self._overflown:
            self._buffer += data
        if characteristic is not DataCharacteristic.LAST:
            return None
        whole, overflown = bytes(self._buffer), self._overflown
        self.clear()
        return ProtocolError(f"a message of more than {LONGEST_MESSAGE} bytes", whole) if overflown else _read(whole)


def _read(whole: bytes) -> list[Message] | ProtocolError:
    messages, fault = read_messages(whole)
    return messages if fault is None else ProtocolError(fault, whole, tuple(messages))


def cut(message: bytes, chunk_size: int) -> Iterator[ChunkWrite]:
    """Return the chunks of one message: all but the last on the bulk characteristic."""
    if len(message) > chunk_size:
        last = (len(message) - 1) // chunk_size * chunk_size
        for at in range(0, last, chunk_size):
            yield ChunkWrite(DataCharacteristic.BULK, message[at : at + chunk_size])
        message = message[last:]
    yield ChunkWrite(DataCharacteristic.LAST, message)
