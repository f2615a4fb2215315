"""The plant behind a device's radio: what is measured there, and what its settings do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from bluewatt.errors import Unencodable
from bluewatt.schema import Record
from bluewatt.tables.registers import Register, by_key
from bluewatt.wire.registers.values import encode_value


class Plant(Protocol):
    """The interface from which an emulated device gets its values: a simulated device, or values that are fed."""

    def record(self, at: float) -> Record:
        """Return what the device advertises at a time."""
        ...

    def values(self, at: float) -> Mapping[str, Any]:
        """Return what its registers show at a time, by metric or register key; None for what is not available.

        A value that takes long to work out, such as a day of the history, is a function without arguments.
        """
        ...

    def write(self, key: str, value: Any) -> bool:
        """Let a setting or a command act on the plant; return False if it has none of this key."""
        ...


def with_power(values: dict[str, Any]) -> dict[str, Any]:
    """Add the power that follows from voltage and current, if a device has both and no power of its own."""
    voltage, current = values.get("battery_voltage"), values.get("battery_current")
    if voltage is not None and current is not None and "battery_power" not in values:
        values["battery_power"] = voltage * current
    return values


def family_register(key: str, family: str) -> Register:
    """Return the register table's row of a key in a family; KeyError if the table has none."""
    row = by_key(key, family)
    if row is None:
        raise KeyError(f"the register table has no {key} for {family}")
    return row


def register_content(row: Register, value: Any) -> bytes | None:
    """Return the bytes of a register that shows a value: "not available" if it cannot hold it.

    None if it cannot say "not available" either.
    """
    try:
        return encode_value(row, value)
    except Unencodable:
        return None if value is None or row.not_available is None else register_content(row, None)
