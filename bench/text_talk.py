"""The talk that every golden text tells: bytes of the captured SmartShunt, client and device, cut at an MTU of 23.

The same talk is written as a capture by the recorder of our own links, which is the measure for each text.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from bluewatt.tables.gatt import DATA_SERVICE, DataCharacteristic
from bluewatt.wire.containers.btsnoop_writer import FILE_START
from bluewatt.wire.containers.link_trace import LinkTrace

ADDRESS: Final = "FD:D4:50:0F:6C:1B"
HANDLES: Final = {0x21: DataCharacteristic.CONTROL, 0x24: DataCharacteristic.LAST, 0x27: DataCharacteristic.BULK}
"""Value handles of the captured SmartShunt (firmware of January 2021)."""
START: Final = 1795605753.0
"""2026-11-25 11:22:33 UTC."""
STEP: Final = 0.125


class Said(NamedTuple):
    """One value that was written or notified."""

    by_client: bool
    handle: int
    data: bytes


def _said(who: str, handle: int, digits: str) -> Said:
    return Said(who == "client", handle, bytes.fromhex(digits))


TALK: Final = (
    _said("client", 0x21, "fa80ff"),
    _said("client", 0x21, "f980"),
    _said("device", 0x21, "f901"),
    _said("client", 0x24, "01"),
    _said("device", 0x24, "029f000001000301ff"),
    _said("client", 0x24, "0300"),
    _said("device", 0x24, "07000300"),
    # One message in two chunks, the second of which begins as an advertisement does.
    _said("client", 0x27, "060082189342"),
    _said("client", 0x24, "102703010303"),
    _said("device", 0x24, "0900189301"),
    _said("client", 0x27, "05008119010905008119010a05008119ec0f0500"),
    _said("client", 0x24, "8119ec0e05008119010c"),
    _said("device", 0x24, "080019010948af9bff0c1338e600"),
    _said("device", 0x24, "090019010a01"),
    _said("device", 0x27, "080019ec31582101af77d69789a300040400007f"),
    _said("device", 0x24, "ffffffff4ec5829956a00054010000d6ffffffff"),
    _said("device", 0x24, "080319ed8d422f05"),
    _said("client", 0x21, "f941"),
    _said("device", 0x24, "0803190fff426c21"),
)


def uuid_of(handle: int) -> str:
    """The UUID of the characteristic at a value handle."""
    return HANDLES[handle].uuid_in(DATA_SERVICE)


def capture() -> bytes:
    """The talk as a btsnoop file."""
    parts: list[bytes] = [FILE_START]
    now = [START]
    trace = LinkTrace(parts.append, lambda: now[0])
    trace.connected(ADDRESS, {handle: uuid_of(handle) for handle in HANDLES}, 23)
    for number, (by_client, handle, data) in enumerate(TALK, 1):
        now[0] = START + STEP * number
        if by_client:
            trace.wrote(handle, data, response=False)
        else:
            trace.notified(handle, data)
    trace.disconnected()
    return b"".join(parts)
