"""One captured Bluetooth packet: time, kind, direction and bytes."""

from __future__ import annotations

from enum import IntEnum

Packet = tuple[float, int, int | None, bytes, int, int]
"""`(at, kind, direction, data, offset, adapter)`, a bare tuple because millions of them are made.

`at` POSIX seconds; `kind` a `PacketKind` as a plain number; `direction` `TO_CONTROLLER`, `FROM_CONTROLLER` or None if
the capture does not say; `data` without its packet indicator; `offset` of the record in the capture; `adapter` the
number of the adapter or interface, 0 if there is only one.
"""

TO_CONTROLLER = 0
"""Direction: from the host to the controller (sent)."""

FROM_CONTROLLER = 1
"""Direction: from the controller to the host (received)."""


class PacketKind(IntEnum):
    """What a packet is: an HCI packet indicator (one byte), or 1000 plus the LINKTYPE of a link-layer framing."""

    NOTE = 0
    COMMAND = 1
    ACL = 2
    SYNCHRONOUS = 3
    EVENT = 4
    ISOCHRONOUS = 5
    AIR = 1251
    AIR_WITH_HEADER = 1256
    AIR_NORDIC = 1272
