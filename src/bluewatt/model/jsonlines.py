"""Readings as JSON objects, one a line: the form other programs rely on.

A reading has "at", "source", "kind", "device", "record_type", "record", "rssi" and "values"; a frame that gave none has
"kind": "undecoded" with "reason", "detail" and "raw". Enumerations are written as their keys, masks as lists of keys.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cache, lru_cache
from typing import Any

import msgspec
from msgspec.structs import astuple

from bluewatt.model.reading import Device, Reading, Undecoded
from bluewatt.schema import Code, Flags, Groups, Record
from bluewatt.tables.products import product_name

KEPT = 4096
"""So many devices and enumeration values are kept as JSON."""

_encode = msgspec.json.Encoder().encode


def utc_text(at: float) -> str:
    """POSIX seconds as "2026-11-20T18:00:00.123Z"."""
    milliseconds = round(at * 1000)
    return f"{_second_text(milliseconds // 1000)}.{milliseconds % 1000:03d}Z"


@lru_cache(maxsize=64)
def _second_text(second: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))


def type_text(record_type: int) -> str:
    """A record type as "0x02" or "0xFF01"."""
    return f"0x{record_type:02X}"


def json_value(value: Any) -> Any:
    """A value as JSON: enumerations as keys, masks and lists as lists, bytes as hex digits."""
    if isinstance(value, (Code, Flags, Groups)):
        return value.as_json()
    return value.hex() if isinstance(value, bytes) else value


class _Written(dict[Any, Any]):
    """Enumeration value → its JSON, written once."""

    def __missing__(self, value: Any) -> Any:
        written = json_value(value)
        if len(self) < KEPT:
            self[value] = written
        return written


@cache
def _values_of(cls: type[Record]) -> Callable[[tuple[Any, ...]], dict[str, Any]]:
    """The function from the values of a record to its JSON object, one expression made from the rows."""
    shown = [(index, row) for index, row in enumerate(cls.rows) if not row.hidden]
    # Each row has its own words: a state 3 and an error 3 are equal as numbers.
    words: dict[str, Any] = {f"w{index}": _Written() for index, row in shown if row.named is not None or row.raw}
    parts = [
        f"{row.name!r}: {f'w{index}[v[{index}]]' if f'w{index}' in words else f'v[{index}]'}" for index, row in shown
    ]
    made: Callable[[tuple[Any, ...]], dict[str, Any]] = eval(f"lambda v: {{{', '.join(parts)}}}", words)
    return made


@lru_cache(maxsize=KEPT)
def device_object(device: Device) -> dict[str, Any]:
    """Who sent something, as a JSON object; not to be changed, it is made once."""
    known: dict[str, Any] = {"id": device.id, "address": device.address, "name": device.name}
    if device.product_id is not None:
        known["product_id"] = f"0x{device.product_id:04X}"
        known["product"] = product_name(device.product_id)
    return known


def json_object(outcome: Reading | Undecoded) -> dict[str, Any]:
    """One reading, or one frame that gave none, as a JSON object."""
    head: dict[str, Any] = {
        "at": utc_text(outcome.at),
        "source": outcome.frame.origin,
        "kind": outcome.frame.medium,
        "device": device_object(outcome.device),
    }
    if isinstance(outcome, Undecoded):
        return head | _why(outcome)
    record = outcome.record
    if record.record_type is not None:
        head["record_type"] = type_text(record.record_type)
    head["record"] = record.record_name
    head["rssi"] = outcome.frame.rssi
    head["values"] = _values_of(type(record))(astuple(record))
    if outcome.rejected:
        head["rejected"] = {name: json_value(value) for name, value in outcome.rejected.items()}
    return head


def _why(outcome: Undecoded) -> dict[str, Any]:
    why: dict[str, Any] = {"kind": "undecoded", "reason": outcome.reason, "detail": outcome.detail}
    if outcome.record_type is not None:
        why["record_type"] = type_text(outcome.record_type)
    return why | {"rssi": outcome.frame.rssi, "raw": outcome.frame.payload.hex()}


def json_line(outcome: Reading | Undecoded) -> bytes:
    """One reading as a line of JSON Lines, without the line end."""
    return _encode(json_object(outcome))
