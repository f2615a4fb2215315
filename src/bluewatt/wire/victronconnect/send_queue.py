"""The records a session has to send and may not send yet."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from bluewatt.wire.victronconnect.messages import Message, ValueMessage, ValueResponse

LONGEST_QUEUE = 1024
"""Most records kept; then the oldest goes. A client without grants must not fill the device's memory."""


class Queue:
    """Records in order, with the newest value of a register replacing an older one if requested."""

    def __init__(self) -> None:
        self._records: OrderedDict[object, tuple[Message, object]] = OrderedDict()
        self._count = 0

    def __len__(self) -> int:
        return len(self._records)

    def clear(self) -> None:
        """Forget all."""
        self._records.clear()

    def put(self, message: Message, *, first: bool = False, replace: bool = False, together: object = None) -> None:
        """Append a record or put it in front; `replace` drops the waiting one about the same register.

        `together` is the group of the record; None leaves it to `take`.
        """
        key = self._key(message, replace=replace)
        self._records.pop(key, None)
        self._records[key] = message, together
        if first:
            self._records.move_to_end(key, last=False)
        if len(self._records) > LONGEST_QUEUE:
            self._records.popitem(last=False)

    def _key(self, message: Message, *, replace: bool) -> object:
        if replace and isinstance(message, ValueMessage | ValueResponse):
            return message.instance, message.register
        self._count += 1
        return self._count

    def take(
        self, limit: int, build: Callable[[Message], bytes], group: Callable[[Message], object]
    ) -> tuple[bytes, list[Message]]:
        """Return the next message: the first record, and as many after it as fit `limit` and are of its group."""
        packed = b""
        taken: list[Message] = []
        together = None
        while self._records:
            message, own = next(iter(self._records.values()))
            raw = build(message)
            own = group(message) if own is None else own
            if taken and (own != together or len(packed) + len(raw) > limit):
                break
            packed += raw
            together = own
            taken.append(message)
            self._records.popitem(last=False)
        return packed, taken
