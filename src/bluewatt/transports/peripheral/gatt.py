"""The GATT table of an emulated device: its services, and who may read, write and subscribe to what.

Protocol pages victronconnect-gatt (sections 2, 3, 8, 10, 11) and smartshunt-gatt (sections 2, 3 and 7). The handlers
are handed in; this file has the table only. Bumble takes any encrypted link for an authenticated one, so the pairing
must not accept less than a passkey (see `peripheral/pairing.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final, NoReturn

import msgspec
from bumble.att import ATT_Error, AttributeValue, ErrorCode
from bumble.device import Connection
from bumble.gatt import GATT_CLIENT_CHARACTERISTIC_CONFIGURATION_DESCRIPTOR, Service
from bumble.gatt import Characteristic as GattCharacteristic

from bluewatt.tables.gatt import (
    BASE_SERVICE,
    DATA_SERVICE,
    DEVICE_INFORMATION,
    FIRMWARE_CONTROL,
    FIRMWARE_DATA,
    FIRMWARE_SERVICE,
    PIN_CODE,
    PUK_CODE,
    SECOND_DATA_SERVICE,
    SHUNT_SERVICE,
    START_DFU,
    DataCharacteristic,
)
from bluewatt.tables.smartshunt import CHARACTERISTICS

_Can = GattCharacteristic.Properties
_May = GattCharacteristic.Permissions

# A read or write before pairing is answered with "insufficient authentication" (0x05), upon which clients pair.
PAIRED: Final = _May.READABLE | _May.READ_REQUIRES_AUTHENTICATION | _May.WRITEABLE | _May.WRITE_REQUIRES_AUTHENTICATION

_PROPERTIES: Final = {
    "read": _Can.READ,
    "write": _Can.WRITE,
    "write-without-response": _Can.WRITE_WITHOUT_RESPONSE,
    "notify": _Can.NOTIFY,
}

Read = Callable[[Connection], bytes]
WriteHandler = Callable[[Connection, bytes], None]


class Handlers(msgspec.Struct, frozen=True):
    """The functions behind the characteristics."""

    header: Read
    """A read of the control characteristic."""
    chunk: Callable[[Connection, DataCharacteristic, bytes, str], None]
    """A write to the data service, with the service's UUID."""
    information: Read
    nonce: Read
    puk: WriteHandler
    pin: WriteHandler
    shunt_read: Callable[[str], bytes]
    shunt_write: Callable[[str, bytes], None]


def refuse(connection: Connection, value: bytes = b"") -> NoReturn:
    """Refuse a write: firmware updates are listed, as devices list them, and never done."""
    raise ATT_Error(error_code=ErrorCode.WRITE_NOT_PERMITTED)


def _unreadable(connection: Connection) -> NoReturn:
    raise ATT_Error(error_code=ErrorCode.READ_NOT_PERMITTED)


def gatt_characteristic(
    uuid: str,
    properties: Iterable[str],
    *,
    read: Read | None = None,
    write: WriteHandler | None = None,
    permissions: GattCharacteristic.Permissions = PAIRED,
) -> GattCharacteristic[bytes]:
    """Return a characteristic, its properties by their standard names; an access without a function is refused."""
    bits = _Can(0)
    for name in properties:
        bits |= _PROPERTIES[name]
    value: Any = AttributeValue(read=read or _unreadable, write=write or refuse)
    return GattCharacteristic(uuid, bits, permissions, value)


def data_service(uuid: str, handlers: Handlers) -> Service:
    """Return the service that carries registers, or its second copy."""

    def part(role: DataCharacteristic, *properties: str, read: Read | None = None) -> GattCharacteristic[bytes]:
        def write(connection: Connection, value: bytes) -> None:
            handlers.chunk(connection, role, bytes(value), uuid)

        return gatt_characteristic(
            role.uuid_in(uuid), (*properties, "write-without-response", "notify"), read=read, write=write
        )

    return Service(
        uuid,
        [
            part(DataCharacteristic.CONTROL, "read", read=handlers.header),
            part(DataCharacteristic.LAST),
            part(DataCharacteristic.BULK),
        ],
    )


def base_service(handlers: Handlers) -> Service:
    """Return the service of device information, which anybody may read, and of the second authentication."""
    return Service(
        BASE_SERVICE,
        [
            gatt_characteristic(DEVICE_INFORMATION, ["read"], read=handlers.information, permissions=_May.READABLE),
            gatt_characteristic(PIN_CODE, ["write", "notify"], write=handlers.pin),
            gatt_characteristic(START_DFU, ["write"]),
            gatt_characteristic(PUK_CODE, ["read", "write", "notify"], read=handlers.nonce, write=handlers.puk),
        ],
    )


def firmware_service() -> Service:
    """Return the service for firmware, listed as on real devices; it refuses everything."""
    return Service(
        FIRMWARE_SERVICE,
        [
            gatt_characteristic(FIRMWARE_CONTROL, ["write", "notify"]),
            gatt_characteristic(FIRMWARE_DATA, ["write-without-response"]),
        ],
    )


def shunt_service(handlers: Handlers) -> Service:
    """Return the documented SmartShunt service."""

    def part(uuid: str, access: tuple[str, ...]) -> GattCharacteristic[bytes]:
        def read(connection: Connection) -> bytes:
            return handlers.shunt_read(uuid)

        def write(connection: Connection, value: bytes) -> None:
            handlers.shunt_write(uuid, bytes(value))

        return gatt_characteristic(uuid, access, read=read, write=write)

    return Service(SHUNT_SERVICE, [part(row.uuid, row.access) for row in CHARACTERISTICS])


def services(handlers: Handlers, *, second: bool, shunt: bool) -> list[Service]:
    """Return all services in the order of real devices, which gives their handles too (section 2).

    A device with two data services, an Orion, was seen without the one for firmware.
    """
    data = [DATA_SERVICE, SECOND_DATA_SERVICE] if second else [DATA_SERVICE]
    first = [] if second else [firmware_service()]
    found = [*first, base_service(handlers), *(data_service(uuid, handlers) for uuid in data)]
    return [*found, shunt_service(handlers)] if shunt else found


def protect_subscriptions(attributes: Iterable[Any]) -> None:
    """Refuse subscriptions before pairing: bumble makes client configuration descriptors that are open to all.

    Those of the standard services, which belong to UUIDs of 16 bits, stay open.
    """
    ours = False
    for attribute in attributes:
        if isinstance(attribute, GattCharacteristic):
            ours = len(attribute.uuid.to_bytes()) > 2
        elif ours and attribute.type == GATT_CLIENT_CHARACTERISTIC_CONFIGURATION_DESCRIPTOR:
            attribute.permissions = PAIRED
