"""Bluetooth numbers of Victron devices: the company identifier, services and characteristics.

Sources: protocol pages instant-readout (section 1), victronconnect-gatt (section 2) and smartshunt-gatt.
"""

from __future__ import annotations

COMPANY_ID = 0x02E1
"""Bluetooth SIG company identifier of Victron Energy BV, first two bytes (little endian) of its manufacturer data."""
