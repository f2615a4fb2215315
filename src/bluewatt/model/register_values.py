"""Register values with their meaning, from a link, a capture or a broadcast of a VE.Smart network. Pure."""

from __future__ import annotations

from typing import Any

import msgspec

from bluewatt.errors import WireError
from bluewatt.model.identity import Device
from bluewatt.tables.registers import Register, lookup
from bluewatt.wire.registers.values import decode_value, plain

HIDDEN = "hidden"
"""The text in place of a value that opens something (a key, a PIN), wherever it is shown or written."""


class RegisterValue(msgspec.Struct, frozen=True):
    """One register as it was received, and its meaning by the table."""

    register: int
    raw: bytes
    instance: int | None = None
    row: Register | None = None
    """The row of the table; None for a register nobody has described."""
    value: Any = None
    """The value in the unit of the row; None for "not available", an unknown register and bytes that do not fit."""
    problem: str = ""
    """Why the bytes do not fit the row; empty if they do."""

    def __repr__(self) -> str:
        content = repr(self.value) if not self.secret else HIDDEN  # a key or a PIN shows in no traceback
        return f"RegisterValue({self.key}, instance {self.instance}, {content})"

    @property
    def key(self) -> str:
        """The name for programs: the metric if the register measures one, else its key, else its number."""
        if self.row is None:
            return f"0x{self.register:04X}"
        return self.row.metric or self.row.key

    @property
    def unit(self) -> str:
        """The unit of the value; empty if there is none."""
        return self.row.unit if self.row is not None else ""

    @property
    def secret(self) -> bool:
        """Whether the value must not be shown."""
        return self.row is not None and self.row.secret

    def as_json(self, *, reveal: bool = False) -> dict[str, Any]:
        """Return the fields of a JSON line: register, key, raw, value, unit; a secret only with `reveal`."""
        shown = reveal or not self.secret
        fields: dict[str, Any] = {
            "register": f"0x{self.register:04X}",
            "key": self.key,
            "raw": self.raw.hex() if shown else HIDDEN,
            "value": plain(self.value) if shown else HIDDEN,
            "unit": self.unit,
        }
        if self.instance is not None:
            fields = {"instance": self.instance} | fields
        return fields | ({"problem": self.problem} if self.problem else {})


class RegisterReading(msgspec.Struct, frozen=True):
    """Registers that one device sent at one time."""

    device: Device
    at: float
    origin: str
    """The source string it came from."""
    medium: str
    """How it travelled: "gatt", "vesmart", …"""
    values: tuple[RegisterValue, ...]


def explain_register(register: int, raw: bytes, family: str | None, *, instance: int | None = None) -> RegisterValue:
    """Return a register with its meaning for a family of devices; bytes that do not fit are a `problem`, no error."""
    meaning = lookup(register, family)
    if meaning is None:
        return RegisterValue(register, raw, instance)
    try:
        return RegisterValue(register, raw, instance, meaning, decode_value(meaning, raw))
    except WireError as error:
        return RegisterValue(register, raw, instance, meaning, problem=str(error))
