"""Messages as bare hex digits, a chunk a line: of which only the bytes are known, and sometimes the characteristic.

A chunk that ends inside a message waits for the next ones; what continues it is appended, as a client's bulk
writes are. All of this is guessed, and reported as guessed.
"""

from __future__ import annotations

from bluewatt.tables.gatt import DATA_SERVICE, DataCharacteristic
from bluewatt.wire.bluetooth.att import NOTIFIED
from bluewatt.wire.text_logs.guessing import PLACE, SENDER, first_message, is_control, is_whole, kind_of
from bluewatt.wire.text_logs.host_log import HostLog
from bluewatt.wire.victronconnect.grammar import ends_inside

_MOST_CHUNKS = 64
MIDDLE = "where messages begin in a chunk: it begins inside of one"


class BareMessages:
    """The reader of bare chunks; it ignores what it cannot make sense of."""

    def __init__(self, characteristic: str = "") -> None:
        self._characteristic = characteristic
        """The UUID of their characteristic, if the user knows it."""
        self._chunks: list[bytes] = []

    @property
    def waiting(self) -> bool:
        """Whether a message was begun."""
        return bool(self._chunks)

    def goes_on(self, data: bytes) -> bool:
        """Return whether bytes continue the message that was begun."""
        whole = b"".join((*self._chunks, data))
        return self.waiting and len(self._chunks) < _MOST_CHUNKS and (is_whole(whole) or ends_inside(whole))

    def read(self, data: bytes, log: HostLog) -> bool:
        """Take a chunk. Return whether it is one of a message."""
        if self._characteristic:
            self._add_value(data, log)
            return True
        if self.goes_on(data):
            self._chunks.append(data)
            if is_whole(b"".join(self._chunks)):
                self.finish(log)
            return True
        if is_control(data):
            self.finish(log)
            _guessed(data, DataCharacteristic.CONTROL, kind_of(data, control=True), log)
        elif is_whole(data) or ends_inside(data):
            self.finish(log)
            self._chunks = [data]
            if is_whole(data):
                self.finish(log)
        else:
            return self._middle(data, log)
        return True

    def finish(self, log: HostLog) -> None:
        """Add a message without its end as what it is; no more lines come."""
        chunks, self._chunks = self._chunks, []
        kind = kind_of(chunks[0]) if chunks else ""
        for number, chunk in enumerate(chunks, 1):
            last = number == len(chunks)
            _guessed(chunk, DataCharacteristic.LAST if last else DataCharacteristic.BULK, kind, log)

    def _middle(self, data: bytes, log: HostLog) -> bool:
        at = first_message(data)
        if at is None:
            return False
        self.finish(log)
        log.guesses[MIDDLE] += 1
        self._chunks = [data[at:]]
        if is_whole(data[at:]):
            self.finish(log)
        return True

    def _add_value(self, data: bytes, log: HostLog) -> None:
        """Add the bytes of a characteristic that the user names."""
        uuid = self._characteristic
        places = {one.value[:8]: one for one in DataCharacteristic}
        place = places.get(uuid[:8])
        kind = NOTIFIED if place is None else kind_of(data, control=place is DataCharacteristic.CONTROL)
        log.guesses[SENDER] += 1
        log.add_value(kind, data, uuid=uuid)


def _guessed(data: bytes, characteristic: DataCharacteristic, kind: str, log: HostLog) -> None:
    log.guesses[PLACE] += 1
    log.guesses[SENDER] += 1
    log.add_value(kind, data, uuid=characteristic.uuid_in(DATA_SERVICE))
