"""The characteristics of the documented SmartShunt service, one row each.

Source: protocol page smartshunt-gatt, section 2. A characteristic shows a register in the register's own bytes, so the
layout of a value stands in the register table; here is what the service adds: the metric a battery monitor has it
under, and what a client may do. The last five rows are not in the vendor's own list of the service: they were seen on
real shunts, their access is assumed from what clients do.
"""

from __future__ import annotations

from typing import Final

import msgspec

from bluewatt.tables.gatt import SHUNT_CHARACTERISTIC
from bluewatt.tables.registers import Register, lookup

FAMILY: Final = "smartshunt"
"""The one family of devices that offers the service."""

MEASUREMENT: Final = ("read", "notify")
SETTING: Final = ("read", "write", "write-without-response")


class SmartShuntCharacteristic(msgspec.Struct, frozen=True, kw_only=True):
    """One characteristic: the register it shows, the metric that is, and what a client may do with it."""

    register: int
    metric: str
    """The metric key, as in the advertisement of a battery monitor."""
    access: tuple[str, ...] = MEASUREMENT
    """GATT properties by their standard names."""
    number: int | None = None
    """The number in the UUID, where it is not that of the register."""

    @property
    def uuid(self) -> str:
        """The 128-bit UUID as lower-case text."""
        return SHUNT_CHARACTERISTIC.format(self.register if self.number is None else self.number)

    @property
    def layout(self) -> Register:
        """The row of the register table: type, scale, unit, "not available"."""
        row = lookup(self.register, FAMILY)
        if row is None:
            raise LookupError(f"register 0x{self.register:04X} is not in the register table")
        return row

    @property
    def unit(self) -> str:
        """The unit of a value."""
        return self.layout.unit

    @property
    def size(self) -> int:
        """The length of a value in bytes; every value of the service has a fixed one."""
        return self.layout.size or 0


KEEP_ALIVE: Final = SmartShuntCharacteristic(
    register=0x0093, metric="ble_connection_keep_alive", access=SETTING, number=0xFFFF
)  # fmt: skip
"""Seconds until the shunt ends the connection, counted from the write; all ones: never (section 4)."""

KEEP_ALIVE_FOREVER: Final = b"\xff\xff"
KEEP_ALIVE_GRACE: Final = 60.0
"""Seconds a connection lives when no keep-alive is ever written (section 4, official)."""

MEASUREMENTS: Final = (
    # "Not available" is not documented for 0xEEFF; the largest number is read as such (inferred).
    SmartShuntCharacteristic(register=0xEEFF, metric="consumed_charge"),
    SmartShuntCharacteristic(register=0xED8E, metric="battery_power"),
    SmartShuntCharacteristic(register=0xED8D, metric="battery_voltage"),
    SmartShuntCharacteristic(register=0xED8C, metric="battery_current"),
    SmartShuntCharacteristic(register=0x0FFF, metric="state_of_charge"),
    SmartShuntCharacteristic(register=0xED7D, metric="starter_voltage"),
    # All ones is also "infinite": the shunt does not distinguish the two.
    SmartShuntCharacteristic(register=0x0FFE, metric="time_to_go"),
    SmartShuntCharacteristic(register=0xEDEC, metric="temperature"),
    SmartShuntCharacteristic(register=0x0382, metric="midpoint_voltage"),
    SmartShuntCharacteristic(register=0x0383, metric="midpoint_deviation"),
)

CHARACTERISTICS: Final = (KEEP_ALIVE, *MEASUREMENTS)
"""The whole service, in the order of the protocol page; handles must still be found by UUID."""
