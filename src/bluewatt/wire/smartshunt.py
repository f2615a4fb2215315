"""The documented SmartShunt service: values of its characteristics, and the keep-alive that both sides count.

Source: protocol page smartshunt-gatt, sections 2, 4 and 6. Both roles are here: a client decodes values and renews the
keep-alive, a device encodes values, takes the keep-alive and ends the connection when it runs out.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

from bluewatt.errors import Malformed, Unencodable, UnknownType
from bluewatt.tables.smartshunt import (
    CHARACTERISTICS,
    KEEP_ALIVE,
    KEEP_ALIVE_FOREVER,
    KEEP_ALIVE_GRACE,
    MEASUREMENTS,
    SmartShuntCharacteristic,
)
from bluewatt.wire.registers.values import decode_value, encode_value

BY_UUID: Final = {row.uuid: row for row in CHARACTERISTICS}
BY_METRIC: Final = {row.metric: row for row in CHARACTERISTICS}

RENEW_AT: Final = 0.5
"""The share of a keep-alive after which a client writes the next (the field uses 30 of 60 s and 20 of 30 s)."""


def characteristic(uuid: str) -> SmartShuntCharacteristic:
    """Return the row of a characteristic; raises UnknownType for a UUID that is not of this service."""
    try:
        return BY_UUID[uuid.lower()]
    except KeyError:
        raise UnknownType(f"{uuid} is not a characteristic of the SmartShunt service") from None


def decode_characteristic(uuid: str, raw: bytes) -> float | int | None:
    """Return the value a characteristic shows, in its unit; raises UnknownType for a foreign UUID.

    None for "not available" and for bytes of the wrong length, which are to be ignored (section 6): a shunt answers the
    first read of the keep-alive with no bytes at all. A keep-alive for ever is infinity.
    """
    row = characteristic(uuid)
    if len(raw) != row.size:
        return None
    if row is KEEP_ALIVE and raw == KEEP_ALIVE_FOREVER:
        return math.inf
    value: float | int | None = decode_value(row.layout, raw)
    return value


def encode_characteristic(uuid: str, value: float | None) -> bytes:
    """Return the bytes that show a value, the inverse of `decode_characteristic`; None is written as "not available".

    Raises UnknownType for a foreign UUID, Unencodable for a value outside the register's range.
    """
    row = characteristic(uuid)
    return _encode_keep_alive(value) if row is KEEP_ALIVE else encode_value(row.layout, value)


def _encode_keep_alive(seconds: float | None) -> bytes:
    """Return the bytes of a keep-alive, which has "for ever" in place of "not available"; no number encodes to it."""
    if seconds is None:
        return b""
    if seconds == math.inf:
        return KEEP_ALIVE_FOREVER
    raw = encode_value(KEEP_ALIVE.layout, seconds)
    if raw == KEEP_ALIVE_FOREVER:
        raise Unencodable(f"{KEEP_ALIVE.metric} cannot be {seconds} {KEEP_ALIVE.unit}")
    return raw


class KeepAlive:
    """The timer of one connection, kept by the device and mirrored by the client (section 4).

    `now` is any clock in seconds that does not go back. The device feeds writes to `receive` and ends the connection
    when `expired`; the client writes what `renew` returns, first after connecting and then at `renew_at`.
    """

    def __init__(self, now: float) -> None:
        self._armed_at = now
        self._seconds = KEEP_ALIVE_GRACE
        self._raw = b""

    @property
    def raw(self) -> bytes:
        """The answer to a read of the characteristic: the last write; no bytes on a new connection."""
        return self._raw

    @property
    def expires_at(self) -> float:
        """The time at which the device ends the connection; infinity for never."""
        return self._armed_at + self._seconds

    @property
    def renew_at(self) -> float:
        """The time at which the client must write again: at once on a new connection, infinity for never."""
        return self._armed_at + self._seconds * RENEW_AT if self._raw else self._armed_at

    def expired(self, now: float) -> bool:
        """Return whether the device ends the connection."""
        return now >= self.expires_at

    def receive(self, raw: bytes, now: float) -> None:
        """Take a write; raises Malformed, and leaves the timer alone, when the length is wrong.

        A write of zero runs out at once (inferred: nobody has tried it on a shunt).
        """
        seconds = decode_characteristic(KEEP_ALIVE.uuid, raw)
        if seconds is None:
            raise Malformed(f"a keep-alive has {KEEP_ALIVE.size} bytes, not {len(raw)}")
        self._raw, self._seconds, self._armed_at = bytes(raw), float(seconds), now

    def renew(self, now: float, *, seconds: float = KEEP_ALIVE_GRACE) -> bytes:
        """Return the bytes the client writes now, for a keep-alive of `seconds` (infinity: for ever).

        Raises Unencodable outside 0 to 65.534 s.
        """
        raw = encode_characteristic(KEEP_ALIVE.uuid, seconds)
        self.receive(raw, now)
        return raw


class ShuntService:
    """The service on one device: what every characteristic reads now, and the keep-alive of the connection.

    Sans-IO: the peripheral serves `read`, passes writes to `write`, notifies what `update` returns, and ends the
    connection when `keep_alive.expired`. Measurements start as "not available".
    """

    def __init__(self, now: float) -> None:
        self._raw = {row.uuid: encode_characteristic(row.uuid, None) for row in MEASUREMENTS}
        self.keep_alive = KeepAlive(now)

    def connect(self, now: float) -> None:
        """Begin a connection: its keep-alive starts anew, the measurements stay."""
        self.keep_alive = KeepAlive(now)

    def read(self, uuid: str) -> bytes:
        """Return the answer to a read; raises UnknownType for a foreign UUID."""
        row = characteristic(uuid)
        return self.keep_alive.raw if row is KEEP_ALIVE else self._raw[row.uuid]

    def write(self, uuid: str, raw: bytes, now: float) -> None:
        """Take a write of a client; raises UnknownType for what cannot be written, Malformed for a wrong length."""
        if characteristic(uuid) is not KEEP_ALIVE:
            raise UnknownType(f"{uuid} cannot be written", raw=raw)
        self.keep_alive.receive(raw, now)

    def update(self, values: Mapping[str, float | None]) -> dict[str, bytes]:
        """Set measurements by metric key; returns the changed bytes by UUID, which a subscriber is notified of.

        Metrics the service does not show are ignored. Raises Unencodable, and changes nothing, for a value out of
        range.
        """
        rows = [BY_METRIC[metric] for metric in values if metric in BY_METRIC and metric != KEEP_ALIVE.metric]
        raw = {row.uuid: encode_characteristic(row.uuid, values[row.metric]) for row in rows}
        changed = {uuid: value for uuid, value in raw.items() if self._raw[uuid] != value}
        self._raw.update(changed)
        return changed
