"""Value handles outside the data service, by layout, for captures without discovery.

Source: protocol page victronconnect-gatt, section 2 (confirmed); the handle of the device name is that of the capture.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from bluewatt.tables.gatt import DEVICE_INFORMATION, PIN_CODE, PUK_CODE, START_DFU

DEVICE_NAME = "00002a00-0000-1000-8000-00805f9b34fb"
"""The name a device gives itself, of the generic access service."""

NO_PRODUCT = 0xFE00
"""The product id in register 0x0100 of an instance without a product (section 12, confirmed)."""

OTHER_HANDLES: Final = MappingProxyType(
    {
        "smartshunt": {
            0x03: DEVICE_NAME, 0x16: DEVICE_INFORMATION, 0x18: PIN_CODE, 0x1B: START_DFU, 0x1D: PUK_CODE,
        },
        "orion": {0x10: DEVICE_INFORMATION, 0x12: PIN_CODE, 0x15: START_DFU, 0x17: PUK_CODE},
    }
)  # fmt: skip
"""By the layouts of `bluewatt.tables.gatt.CHARACTERISTIC_HANDLES`."""
