"""Writing btsnoop (H4), as Wireshark, btmon and Bluewatt itself read it: a header, then a record per packet."""

from __future__ import annotations

from bluewatt.tables.gatt import COMPANY_ID
from bluewatt.wire.bluetooth.advertising_data import COMPLETE_NAME, MANUFACTURER_DATA, SCAN_RESPONSE
from bluewatt.wire.bluetooth.hci_reports import ADVERTISING_REPORT, LE_META
from bluewatt.wire.bluetooth.host_packets import air_order
from bluewatt.wire.bluetooth.packets import FROM_CONTROLLER, PacketKind
from bluewatt.wire.containers.btsnoop import EPOCH, MAGIC, RECORD
from bluewatt.wire.containers.framing import LinkType

FILE_START = MAGIC + (1).to_bytes(4, "big") + LinkType.BTSNOOP_H4.to_bytes(4, "big")
"""The file header: magic, version, datalink."""

LONGEST_LEGACY = 31
"""Bytes of data in a legacy advertisement."""

_COMMAND_OR_EVENT = 2
_FLAGS = b"\x02\x01\x06"
_UNKNOWN_RSSI = 127


def record(at: float, kind: int, direction: int, data: bytes) -> bytes:
    """Return the record of one packet (without its packet indicator)."""
    flags = direction | (0 if kind == PacketKind.ACL else _COMMAND_OR_EVENT)
    stamp = EPOCH + round(at * 1e6)
    return RECORD.pack(len(data) + 1, len(data) + 1, flags, 0, stamp) + bytes([kind]) + data


def manufacturer_data(payload: bytes) -> bytes:
    """Return the advertising data around manufacturer data of Victron: flags if there is room, then the structure."""
    content = COMPANY_ID.to_bytes(2, "little") + payload
    structure = bytes([len(content) + 1, MANUFACTURER_DATA]) + content
    return structure if len(structure) + len(_FLAGS) > LONGEST_LEGACY else _FLAGS + structure


def name_data(name: str) -> bytes:
    """Return the advertising data of a scan response with a name, cut to what one holds."""
    raw = name.encode()[: LONGEST_LEGACY - 2].decode("utf-8", "ignore").encode()
    return bytes([len(raw) + 1, COMPLETE_NAME]) + raw


def advertising_report_event(
    address: str, data: bytes, *, rssi: int | None = None, event_type: int = 0, address_type: int = 1
) -> bytes:
    """Return the HCI event a controller makes of one legacy advertisement (without packet indicator)."""
    strength = (_UNKNOWN_RSSI if rssi is None else rssi) & 0xFF
    body = bytes([ADVERTISING_REPORT, 1, event_type, address_type]) + air_order(address) + bytes([len(data)]) + data
    return bytes([LE_META, len(body) + 1]) + body + bytes([strength])


def advertisement_records(
    at: float, address: str, payload: bytes | None, name: str | None, rssi: int | None, *, address_type: int = 1
) -> bytes:
    """Return the records of an advertisement and of the scan response with its name, whichever are there."""
    events = []
    if payload is not None:
        data = manufacturer_data(payload)
        events.append(advertising_report_event(address, data, rssi=rssi, address_type=address_type))
    if name is not None:
        data = name_data(name)
        events.append(
            advertising_report_event(address, data, rssi=rssi, event_type=SCAN_RESPONSE, address_type=address_type)
        )
    return b"".join(record(at, PacketKind.EVENT, FROM_CONTROLLER, event) for event in events)
