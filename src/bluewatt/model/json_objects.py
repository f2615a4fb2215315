"""Readings as JSON objects, one per line: the form that other programs rely on. Pure.

A reading has "at", "source", "kind", "device", "record_type", "record", "rssi" and "values"; a frame that gave none has
"kind": "undecoded" with "reason", "detail" and "raw". Enumerations are written as their keys, masks as lists of keys.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cache, lru_cache
from typing import Any

import msgspec

from bluewatt.model.identity import Device
from bluewatt.model.reading import Reading, Undecoded
from bluewatt.model.register_values import RegisterValue
from bluewatt.schema import Code, Flags, Record, TwoBitFields
from bluewatt.tables.products import product_name

KEPT = 4096
"""Devices, and values of each enumeration, whose JSON is kept for reuse."""

FIRST_SECOND, LAST_SECOND = -62_135_596_800, 253_402_300_799
"""The first second of the year 1 and the last of 9999, POSIX seconds."""

_encode = msgspec.json.Encoder().encode
_THOUSANDTHS = tuple(f".{number:03d}Z" for number in range(1000))


def utc_text(at: float) -> str:
    """Return POSIX seconds as "2026-11-20T18:00:00.123Z"."""
    second, thousandth = divmod(round(at * 1000), 1000)
    return _second_text(second) + _THOUSANDTHS[thousandth]


def calendar_second(at: float) -> int:
    """Return the whole second of a time, limited to the years 1 to 9999: a damaged capture may hold any time."""
    return int(min(max(at, FIRST_SECOND), LAST_SECOND))


@lru_cache(maxsize=64)
def _second_text(second: int) -> str:
    moment = time.gmtime(calendar_second(second))
    return f"{moment.tm_year:04d}" + time.strftime("-%m-%dT%H:%M:%S", moment)


def type_text(record_type: int) -> str:
    """Return a record type as "0x02" or "0xFF01"."""
    return f"0x{record_type:02X}"


def json_value(value: Any) -> Any:
    """Return a value as JSON: enumerations as keys, masks and lists as lists, bytes as hex digits."""
    if isinstance(value, (Code, Flags, TwoBitFields)):
        return value.as_json()
    return value.hex() if isinstance(value, bytes) else value


class _JsonCache(dict[Any, Any]):
    """Enumeration value → its JSON, made on first use."""

    def __missing__(self, value: Any) -> Any:
        made = json_value(value)
        if len(self) < KEPT:
            self[value] = made
        return made


@cache
def _values_of(cls: type[Record]) -> Callable[[Record], dict[str, Any]]:
    """Return the function from a record to the JSON object of its values, one expression compiled from the rows."""
    shown = [row for row in cls.rows if not row.hidden]
    # Each row has its own cache: a state 3 and an error 3 are equal as numbers.
    caches: dict[str, Any] = {f"cache_{row.name}": _JsonCache() for row in shown if row.named is not None or row.raw}
    parts = [
        f"{row.name!r}: " + (f"cache_{row.name}[r.{row.name}]" if f"cache_{row.name}" in caches else f"r.{row.name}")
        for row in shown
    ]
    made: Callable[[Record], dict[str, Any]] = eval(f"lambda r: {{{', '.join(parts)}}}", caches)
    return made


def json_values(record: Record) -> dict[str, Any]:
    """Return the values of a record as a JSON object holds them, by metric."""
    return _values_of(record.__class__)(record)


@lru_cache(maxsize=KEPT)
def device_object(device: Device) -> dict[str, Any]:
    """Return a device as a JSON object; do not change it, it is shared."""
    known: dict[str, Any] = {"id": device.id, "address": device.address, "name": device.name}
    if device.product_id is not None:
        known["product_id"] = f"0x{device.product_id:04X}"
        known["product"] = product_name(device.product_id)
    return known


def json_line(outcome: Reading | Undecoded) -> bytes:
    """Return a reading, or a frame that gave none, as a line of JSON Lines without its end."""
    if isinstance(outcome, Undecoded):
        return _encode(_undecoded(outcome))
    frame, record = outcome.frame, outcome.record
    kind = record.__class__
    # Assembled from parts for speed: only the time, the strength and the values differ between readings of a device.
    between = _between(outcome.device, frame.origin, frame.medium, kind)
    values = _encode(_values_of(kind)(record))
    line = b'{"at":"%b",%b,"rssi":%b,"values":%b' % (
        utc_text(outcome.at).encode(),
        between,
        _encode(frame.rssi),
        values,
    )
    return line + (_value_marks(outcome) if outcome.rejected or outcome.doubtful else b"}")


@lru_cache(maxsize=KEPT)
def _between(device: Device, origin: str, medium: str, kind: type[Record]) -> bytes:
    """Return the fields between the time and the signal strength of a reading."""
    between: dict[str, Any] = {"source": origin, "kind": medium, "device": device_object(device)}
    if kind.record_type is not None:
        between["record_type"] = type_text(kind.record_type)
    return _encode(between | {"record": kind.record_name})[1:-1]


def _value_marks(reading: Reading) -> bytes:
    """Return the fields about single values: the impossible ones and the surprising ones."""
    marks: dict[str, Any] = {}
    if reading.rejected:
        marks["rejected"] = {name: json_value(value) for name, value in reading.rejected.items()}
    if reading.doubtful:
        marks["doubtful"] = reading.doubtful
    return b"," + _encode(marks)[1:]


def _undecoded(outcome: Undecoded) -> dict[str, Any]:
    frame = outcome.frame
    why: dict[str, Any] = {
        "at": utc_text(outcome.at), "source": frame.origin, "kind": "undecoded",
        "device": device_object(outcome.device), "reason": outcome.reason, "detail": outcome.detail,
    }  # fmt: skip
    if outcome.record_type is not None:
        why["record_type"] = type_text(outcome.record_type)
    return why | {"rssi": frame.rssi, "raw": frame.payload.hex()}


def json_reading(device: Device, at: float, origin: str, value: RegisterValue) -> bytes:
    """Return a register that was read as a line of JSON Lines without its end, in the form of captured messages."""
    head = {
        "at": utc_text(at),
        "source": origin,
        "kind": "vreg",
        "device": device_object(device),
        "direction": "device",
    }
    return _encode(head | {"message": "value"} | value.as_json())
