"""Values for an emulated device as other programs write them: JSON Lines, readings of ours, MQTT payloads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from bluewatt.errors import Malformed


def values_of_line(line: bytes | str) -> Mapping[str, Any]:
    """Return the values of a JSON object, `{"battery_voltage": 12.6}` or a reading with "values"; else Malformed."""
    try:
        found = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Malformed(f"not JSON: {error}") from error
    values = found.get("values", found) if isinstance(found, dict) else None
    if not isinstance(values, dict):
        raise Malformed('not a JSON object of values, such as {"battery_voltage": 12.6}')
    return values


def values_of_message(topic: str, payload: bytes) -> Mapping[str, Any]:
    """Return the values in an MQTT message: a JSON object, or one value, named by the last level of the topic."""
    try:
        found = msgspec.json.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Malformed(f"{topic}: not JSON: {error}") from error
    return values_of_line(payload) if isinstance(found, dict) else {topic.rpartition("/")[2]: found}
