"""Advertising data: a run of structures, each of a length byte, a type byte and its value.

Wanted of them are two: the manufacturer data of Victron and the local name. Layout: Bluetooth Core, volume 3, part C,
section 11; types from the Bluetooth Assigned Numbers; the frame on air: protocol page instant-readout, section 1.
"""

from __future__ import annotations

from typing import Final

from bluewatt.errors import Malformed
from bluewatt.tables.gatt import COMPANY_ID
from bluewatt.wire.printable import printable

CapturedAdvertisement = tuple[float, str, int, int | None, int, bytes | None, str | None]
"""`(at, address, address_type, rssi, event_type, payload, name)`, a bare tuple because millions of them are made.

`address` "AA:BB:CC:DD:EE:FF"; `address_type` 0 public, 1 random; `rssi` dBm or None; `event_type` that of the
advertising report (4: a scan response); `payload` the manufacturer data after Victron's company identifier, None where
there is none; `name` the local name. At least one of the last two is there.
"""

MANUFACTURER_DATA: Final = 0xFF
"""AD type of manufacturer specific data: two bytes of company identifier, then the company's own bytes."""

SHORT_NAME: Final = 0x08
"""AD type of a shortened local name."""

COMPLETE_NAME: Final = 0x09
"""AD type of the complete local name."""

VICTRON_MARK: Final = bytes([MANUFACTURER_DATA]) + COMPANY_ID.to_bytes(2, "little")
"""Type byte and company identifier: how manufacturer data of Victron begins behind its length byte."""

SCAN_RESPONSE: Final = 4
"""Event type of a scan response; a device answers with it to an active scan, and it holds the name."""


def parse_structures(data: bytes) -> tuple[bytes | None, str | None]:
    """Return `(payload, name)` of one advertising data block; `Malformed` when a structure reaches past the end.

    A zero length ends the block early (padding). The first Victron structure counts; a complete name wins over a
    shortened one.
    """
    payload: bytes | None = None
    name: str | None = None
    complete = False
    position, size = 0, len(data)
    while position < size and (length := data[position]):
        end = position + 1 + length
        if end > size:
            raise Malformed(f"an AD structure of {length} bytes stands in {size - position - 1} bytes")
        kind = data[position + 1]
        if kind == MANUFACTURER_DATA and payload is None and data.startswith(VICTRON_MARK, position + 1) and length > 2:
            payload = data[position + 4 : end]
        elif (kind == COMPLETE_NAME and not complete) or (kind == SHORT_NAME and name is None):
            name = printable(data[position + 2 : end].decode("utf-8", "replace"))
            complete = kind == COMPLETE_NAME
        position = end
    return payload, name


class AddressTexts(dict[bytes, str]):
    """Addresses as text, made once: six bytes in the order of the air (lowest first) → "AA:BB:CC:DD:EE:FF".

    It forgets everything when it has grown to `limit`, since strangers change their addresses without end.
    """

    limit = 0x4000

    def __missing__(self, raw: bytes) -> str:
        if len(self) >= self.limit:
            self.clear()
        text = self[raw] = raw[::-1].hex(":").upper()
        return text


SIGNED: Final[tuple[int | None, ...]] = (*range(127), None, *range(-128, 0))
"""Byte → received strength: dBm in two's complement, 127 means not available (Core, volume 4, part E, 7.7.65)."""
