"""The characteristics of the documented SmartShunt service, one row each.

Source: protocol page smartshunt-gatt, section 2. All values are little endian and of fixed length. A characteristic is
numbered by the register it shows (the keep-alive excepted). The last five rows are not in the vendor's own list of the
service; their layout is that of the register, their access is assumed from what clients do.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from bluewatt.schema import Proof, Row, sint, uint
from bluewatt.tables.gatt import SHUNT_CHARACTERISTIC

MEASUREMENT: Final = ("read", "notify")
SETTING: Final = ("read", "write", "write-without-response")


class Characteristic(msgspec.Struct, frozen=True, kw_only=True):
    """One characteristic: the register it shows, the row of its value, and what a client may do with it."""

    register: int
    row: Row
    """The layout; the row's name is the metric key."""
    access: tuple[str, ...] = MEASUREMENT
    """GATT properties by their standard names."""

    @property
    def uuid(self) -> str:
        """The 128-bit UUID as lower-case text."""
        return SHUNT_CHARACTERISTIC.format(self.register)

    @property
    def metric(self) -> str:
        """The metric key."""
        return self.row.name

    @property
    def size(self) -> int:
        """The length of a value in bytes."""
        return self.row.width // 8


def _shows(register: int, metric: str, row: Any, *, access: tuple[str, ...] = MEASUREMENT) -> Characteristic:
    return Characteristic(register=register, row=msgspec.structs.replace(row, name=metric), access=access)


_DOC: Final = Proof.DOCUMENTED

KEEP_ALIVE: Final = _shows(
    0xFFFF, "ble_connection_keep_alive", uint(16, "s", step="0.001", proof=Proof.CAPTURED), access=SETTING
)
"""Seconds until the shunt ends the connection, counted from the write; all ones: never (section 4)."""

KEEP_ALIVE_FOREVER: Final = 0xFFFF
KEEP_ALIVE_GRACE: Final = 60.0
"""Seconds a connection lives when no keep-alive is ever written (section 4, official)."""

MEASUREMENTS: Final = (
    # 0xEEFF has no documented "not available"; the largest number is read as such (inferred).
    _shows(0xEEFF, "consumed_charge", sint(32, "Ah", step="0.1", na=0x7FFFFFFF, proof=_DOC)),
    _shows(0xED8E, "battery_power", sint(16, "W", na=0x7FFF, proof=_DOC)),
    _shows(0xED8D, "battery_voltage", sint(16, "V", step="0.01", na=0x7FFF, proof=_DOC)),
    _shows(0xED8C, "battery_current", sint(32, "A", step="0.001", na=0x7FFFFFFF, proof=_DOC)),
    _shows(0x0FFF, "state_of_charge", uint(16, "%", step="0.01", na=0xFFFF, proof=_DOC)),
    _shows(0xED7D, "starter_voltage", sint(16, "V", step="0.01", na=0x7FFF, proof=_DOC)),
    # All ones is also "infinite": the shunt does not tell the two apart.
    _shows(0x0FFE, "time_to_go", uint(16, "min", na=0xFFFF, proof=_DOC)),
    _shows(0xEDEC, "temperature", uint(16, "°C", step="0.01", bias="-273.15", na=0xFFFF, proof=_DOC)),
    _shows(0x0382, "midpoint_voltage", uint(16, "V", step="0.01", na=0xFFFF, proof=_DOC)),
    _shows(0x0383, "midpoint_deviation", sint(16, "%", step="0.1", na=0x7FFF, proof=_DOC)),
)

CHARACTERISTICS: Final = (KEEP_ALIVE, *MEASUREMENTS)
"""The whole service, in the order of the protocol page; handles must still be found by UUID."""
