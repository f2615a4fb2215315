"""Bluetooth numbers of Victron devices: the company identifier, services and characteristics.

Sources: protocol pages instant-readout (section 1), victronconnect-gatt (section 2) and smartshunt-gatt.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

COMPANY_ID = 0x02E1
"""Bluetooth SIG company identifier of Victron Energy BV, first two bytes (little endian) of its manufacturer data."""

SHUNT_SERVICE = "65970000-4bda-4c1e-af4b-551c4cf74769"
"""The documented read-out service of a SmartShunt (protocol page smartshunt-gatt, section 1)."""

SHUNT_CHARACTERISTIC = "6597{:04x}-4bda-4c1e-af4b-551c4cf74769"
"""Its characteristics: to be formatted with the register number (protocol page smartshunt-gatt, section 2)."""

BASE_SERVICE = "97580001-ddf1-48be-b73e-182664615d8e"
"""VictronConnect's base service: device information, PIN and PUK (protocol page victronconnect-gatt, section 2)."""

DEVICE_INFORMATION = "97580002-ddf1-48be-b73e-182664615d8e"
"""Read: versions of the Bluetooth module (section 11)."""

PIN_CODE = "97580003-ddf1-48be-b73e-182664615d8e"
"""Write and notify: nonce and passkey of the optional second authentication (section 10, single source)."""

START_DFU = "97580004-ddf1-48be-b73e-182664615d8e"
"""Starts a firmware update. Listed so that it can be refused: never written."""

PUK_CODE = "97580006-ddf1-48be-b73e-182664615d8e"
"""Read, write and notify: the nonce, and its CRC as the answer (section 10, single source)."""

DATA_SERVICE = "306b0001-b081-4037-83dc-e59fcc3cdfd0"
"""The service that carries registers (section 2)."""

SECOND_DATA_SERVICE = "306b0001-b081-4037-83dc-e59fcc3cdfd1"
"""The second copy of the data service that an Orion-Tr Smart lists (section 2)."""

PRODUCT_SERVICE = "{:04x}{:04x}-880b-425b-b167-81ed6a15e913"
"""The UUID in a connectable advertisement: to be formatted with 0xCD54 or 0xCD55 and the product id (section 1,
confirmed by capture; how the two differ is unknown)."""

FIRMWARE_SERVICE = "68c10001-b17f-4d3a-a290-34ad6499937c"
"""Firmware update. Its characteristics are never written."""

FIRMWARE_CONTROL = "68c10002-b17f-4d3a-a290-34ad6499937c"
FIRMWARE_DATA = "68c10003-b17f-4d3a-a290-34ad6499937c"

NEVER_WRITTEN = frozenset(
    {
        START_DFU,
        FIRMWARE_CONTROL,
        FIRMWARE_DATA,
        "00001530-1212-efde-1523-785feabcd123",
        "00001531-1212-efde-1523-785feabcd123",
        "00001532-1212-efde-1523-785feabcd123",
    }
)
"""Characteristics (and the legacy Nordic service) that change firmware: no part of Bluewatt writes them."""


class DataCharacteristic(enum.Enum):
    """The three characteristics of the data service, by UUID (protocol page victronconnect-gatt, section 2)."""

    CONTROL = "306b0002-b081-4037-83dc-e59fcc3cdfd0"
    """Flow control: read, write without response, notify."""
    LAST = "306b0003-b081-4037-83dc-e59fcc3cdfd0"
    """The last chunk of a message, which completes it."""
    BULK = "306b0004-b081-4037-83dc-e59fcc3cdfd0"
    """Every earlier chunk."""

    def uuid_in(self, service: str) -> str:
        """Return the UUID in one of the two data services: same first group, the service's own tail (section 2)."""
        return self.value[:8] + service[8:]


CHARACTERISTIC_HANDLES: Final = MappingProxyType(
    {
        "smartshunt": {0x21: DataCharacteristic.CONTROL, 0x24: DataCharacteristic.LAST, 0x27: DataCharacteristic.BULK},
        "orion": {
            **{0x1B: DataCharacteristic.CONTROL, 0x1E: DataCharacteristic.LAST, 0x21: DataCharacteristic.BULK},
            **{0x25: DataCharacteristic.CONTROL, 0x28: DataCharacteristic.LAST, 0x2B: DataCharacteristic.BULK},
        },
    }
)
"""Value handles seen, by layout, for captures without discovery (section 2). 0x0021 means control in one layout and
bulk in the other; the layout of "smartshunt" is also that of SmartSolar, BMV-712 and the VE.Direct dongle."""

DATA_INSTANCE: Final = MappingProxyType({"orion": 0, "charger": 0})
"""The instance that holds the data of a product family, if it is not `DEFAULT_DATA_INSTANCE` (section 0, fact 7)."""

DEFAULT_DATA_INSTANCE = 3
"""The instance that holds the data of SmartShunt, BMV, SmartSolar, Phoenix and VE.Direct dongle (section 0, fact 7)."""

SUBSCRIBED_FIRST = frozenset({3})
"""Instances whose registers answer code 1 until they were subscribed (section 0, fact 8)."""

KEEP_ALIVE_REGISTER = 0x0093
"""Keep-alive time in milliseconds, u16, instance 0 (section 7)."""

KEEP_ALIVE_INSTANCE = 0
"""The instance on which the keep-alive register is written (section 7)."""


class Opcode(enum.IntEnum):
    """First item of a VictronConnect message (section 5; 0x04 and 0x0A to 0x10 single source)."""

    GET_DEVICES = 0x01
    DEVICE_LIST = 0x02
    SUBSCRIBE = 0x03
    UNSUBSCRIBE = 0x04
    GET_VALUES = 0x05
    SET_VALUES = 0x06
    RESPONSE = 0x07
    VALUE = 0x08
    VALUE_RESPONSE = 0x09
    GET_PATH_LIST = 0x0A
    GET_PATH_VALUES = 0x0B
    SET_PATH_VALUES = 0x0C
    PATH_LIST = 0x0D
    NEW_PATH = 0x0E
    PATH_VALUE = 0x0F
    PATH_VALUE_RESPONSE = 0x10
    GET_VALUES_ALTERNATE = -6
    """0x25 on the wire, which is CBOR for -6: 0x05 with bit 0x20. Chargers take it as 0x05 (single source, two
    products)."""
    SET_VALUES_ALTERNATE = -7
    """0x26 on the wire: 0x06 with bit 0x20. Chargers take it as 0x06 (single source, two products)."""


PLAIN_OPCODE: Final[Mapping[int, int]] = MappingProxyType(
    {Opcode.GET_VALUES_ALTERNATE: Opcode.GET_VALUES, Opcode.SET_VALUES_ALTERNATE: Opcode.SET_VALUES}
)
"""The usual opcode of each alternate one."""


class ControlOpcode(enum.IntEnum):
    """First byte written to or notified on the control characteristic (section 4.2; F8 single source)."""

    FAILURE = 0xF7
    DROP = 0xF8
    GRANT = 0xF9
    LIMITS = 0xFA


class ResultCode(enum.IntEnum):
    """The codes of Response and ValueResponse (section 5.3; 4 is a guess)."""

    OK = 0
    UNKNOWN_REGISTER = 1
    NOT_ACCEPTABLE = 2
    ACCESS_REFUSED = 3
    PARAMETER_ERROR = 4


UNSUPPORTED_REQUEST = 3
"""The u16 after F7 that devices send for a request they cannot read or do not support (section 4.2)."""


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
"""Value handles of the other characteristics, by the layouts of `CHARACTERISTIC_HANDLES`."""
