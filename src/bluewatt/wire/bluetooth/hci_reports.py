"""HCI events that carry advertisements: the LE Advertising Report and the LE Extended Advertising Report.

Layout: Bluetooth Core, volume 4, part E, sections 7.7.65.2 and 7.7.65.13. Several reports in one event stand one after
the other, as controllers send them.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

from bluewatt.errors import Malformed

LE_META: Final = 0x3E
"""Event code of all LE events; the subevent is the first parameter."""

ADVERTISING_REPORT: Final = 0x02
"""Subevent: legacy advertisements and scan responses."""

EXTENDED_REPORT: Final = 0x0D
"""Subevent: advertisements of a controller that knows extended advertising, legacy ones among them."""

_LEGACY = struct.Struct("<BB6sB")
_EXTENDED = struct.Struct("<HB6sBBBbBHB6sB")

_LEGACY_BIT = 0x10
_STATUS_SHIFT = 5
_LEGACY_EVENT_TYPES = {0x13: 0, 0x15: 1, 0x12: 2, 0x10: 3, 0x1B: 4, 0x1A: 4}
"""Extended event types that stand for a legacy PDU, and the legacy event type of the same PDU."""


class AdvertisingReport(NamedTuple):
    """One advertising report; `more` says that the data continues in the next report of the same `stream`."""

    event_type: int
    address_type: int
    address: bytes
    rssi: int
    """The raw byte, two's complement; 127 means not available."""
    data: bytes
    more: bool = False
    stream: int = 0
    """Advertising set of the report (its SID), 0xFF for legacy advertising."""


def advertising_reports(event: bytes) -> Iterator[AdvertisingReport]:
    """Yield the reports of one HCI event (without its packet indicator); none for an event of another kind.

    Reports that stand before damage are yielded, then `Malformed` is raised.
    """
    if len(event) < 2 or event[1] != len(event) - 2:
        raise Malformed(f"an HCI event of {len(event)} bytes claims {event[1] if len(event) > 1 else 'no'} parameters")
    if event[0] != LE_META:
        return
    if len(event) < 3:
        raise Malformed("an LE event has no subevent")
    if event[2] == ADVERTISING_REPORT:
        yield from _legacy_reports(event)
    elif event[2] == EXTENDED_REPORT:
        yield from _extended_reports(event)


def _legacy_reports(event: bytes) -> Iterator[AdvertisingReport]:
    position = 4
    for _ in range(_count(event)):
        if position + _LEGACY.size > len(event):
            raise Malformed("an advertising report is cut")
        event_type, address_type, address, length = _LEGACY.unpack_from(event, position)
        position += _LEGACY.size
        end = position + length
        if end >= len(event):
            raise Malformed(f"an advertising report claims {length} bytes of data in {len(event) - position - 1}")
        yield AdvertisingReport(event_type, address_type, address, event[end], event[position:end], stream=0xFF)
        position = end + 1


def _extended_reports(event: bytes) -> Iterator[AdvertisingReport]:
    position = 4
    for _ in range(_count(event)):
        if position + _EXTENDED.size > len(event):
            raise Malformed("an extended advertising report is cut")
        fields = _EXTENDED.unpack_from(event, position)
        event_type, address_type, address, _, _, stream, _, rssi, _, _, _, length = fields
        position += _EXTENDED.size
        end = position + length
        if end > len(event):
            raise Malformed(f"an extended advertising report claims {length} bytes of data in {len(event) - position}")
        legacy = _LEGACY_EVENT_TYPES.get(event_type) if event_type & _LEGACY_BIT else None
        more = event_type >> _STATUS_SHIFT & 3 == 1
        yield AdvertisingReport(
            event_type if legacy is None else legacy, address_type, address, rssi, event[position:end], more, stream
        )
        position = end


def _count(event: bytes) -> int:
    if len(event) < 4:
        raise Malformed("an advertising report event has no number of reports")
    return event[3]
