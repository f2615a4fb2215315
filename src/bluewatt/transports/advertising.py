"""How a Victron device advertises: the bytes of an advertisement, and the adapter that sends them."""

from __future__ import annotations

import uuid as uuid_lib

from bumble.core import UUID, AdvertisingData
from bumble.device import AdvertisingEventProperties, AdvertisingParameters, AdvertisingSet, Device
from bumble.hci import Address

from bluewatt.errors import Unencodable
from bluewatt.tables.gatt import COMPANY_ID

LONGEST_MANUFACTURER_DATA = 24
"""Most bytes after the company identifier in a legacy advertisement with flags (31 - 3 - 2 - 2)."""

_FLAGS = b"\x06"  # general discoverable, no BR/EDR

CONNECTABLE = AdvertisingEventProperties(is_connectable=True, is_scannable=True, is_legacy=True)
"""Advertisements of a device that takes connections and has a scan response."""

BROADCAST = AdvertisingEventProperties(is_connectable=False, is_scannable=False, is_legacy=True)
"""Advertisements that nobody can answer."""


def advertising_data(manufacturer_data: bytes, company_id: int = COMPANY_ID) -> bytes:
    """Return flags and manufacturer data as a Victron device packs them; raises Unencodable if they do not fit."""
    if len(manufacturer_data) > LONGEST_MANUFACTURER_DATA:
        raise Unencodable(
            f"{len(manufacturer_data)} bytes of manufacturer data do not fit an advertisement"
            f" (at most {LONGEST_MANUFACTURER_DATA})"
        )
    company = company_id.to_bytes(2, "little")
    kind = AdvertisingData.Type
    return bytes(
        AdvertisingData([(kind.FLAGS, _FLAGS), (kind.MANUFACTURER_SPECIFIC_DATA, company + manufacturer_data)])
    )


def scan_response_data(name: str) -> bytes:
    """Return the complete local name as a scan response, cut at the 29 bytes that fit."""
    text = name.encode()[:29].decode(errors="ignore").encode()
    return bytes(AdvertisingData([(AdvertisingData.Type.COMPLETE_LOCAL_NAME, text)])) if text else b""


def text_of_uuid(uuid: UUID) -> str:
    """Return all 128 bits of a UUID as lower-case text, as bleak and the tables write them; bumble shortens its own."""
    return str(uuid_lib.UUID(bytes=uuid.to_bytes(force_128=True)[::-1]))


async def start_advertising_set(
    device: Device,
    address: Address,
    data: bytes,
    *,
    interval: float,
    properties: AdvertisingEventProperties = CONNECTABLE,
    scan_response: bytes = b"",
) -> AdvertisingSet:
    """Advertise `data` under an address of its own, every `interval` seconds; raises what bumble raises.

    The adapter must have extended advertising.
    """
    return await device.create_advertising_set(
        advertising_parameters=AdvertisingParameters(
            advertising_event_properties=properties,
            primary_advertising_interval_min=interval * 1000,  # bumble counts milliseconds
            primary_advertising_interval_max=interval * 1000,
        ),
        random_address=address,
        advertising_data=data,
        scan_response_data=scan_response,
        auto_restart=properties.is_connectable,  # a connection ends the advertising
    )


async def start_legacy_advertising(
    device: Device, data: bytes, scan_response: bytes, *, interval: float, restart: bool = False
) -> None:
    """Advertise `data` under the address of the device, every `interval` seconds; raises what bumble raises.

    A connection ends the advertising; `restart` begins it again when the connection is over.
    """
    await device.start_advertising(
        auto_restart=restart,
        advertising_data=data,
        scan_response_data=scan_response,
        advertising_interval_min=interval * 1000,
        advertising_interval_max=interval * 1000,
    )
