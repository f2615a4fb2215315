"""Bluetooth numbers of Victron devices: the company identifier, services and characteristics.

Sources: protocol pages instant-readout (section 1), victronconnect-gatt (section 2) and smartshunt-gatt.
"""

from __future__ import annotations

COMPANY_ID = 0x02E1
"""Bluetooth SIG company identifier of Victron Energy BV, first two bytes (little endian) of its manufacturer data."""

SHUNT_SERVICE = "65970000-4bda-4c1e-af4b-551c4cf74769"
"""The documented read-out service of a SmartShunt (protocol page smartshunt-gatt, section 1)."""

SHUNT_CHARACTERISTIC = "6597{:04x}-4bda-4c1e-af4b-551c4cf74769"
"""Its characteristics: to be formatted with the register number (protocol page smartshunt-gatt, section 2)."""
