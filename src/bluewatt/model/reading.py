"""What every layer passes on: a frame, and the reading or the undecoded frame made from it. Pure.

All are frozen. `at` is POSIX seconds in UTC and always comes with the frame, never from a clock, so that a capture
replayed at a thousand times its speed gives the same readings as the live radio.
"""

from __future__ import annotations

from typing import Any

import msgspec

from bluewatt.model.identity import Device
from bluewatt.schema import Record

ADVERTISEMENT = "advertisement"
"""The medium of manufacturer data heard on air."""


class Frame(msgspec.Struct, frozen=True, gc=False):
    """Bytes as a transport delivered them, not decoded."""

    at: float
    """When the bytes were received, POSIX seconds UTC."""
    origin: str
    """The source string that delivered them, such as "ble:hci0" or "capture:drive.btsnoop"."""
    medium: str
    """How they travelled: "advertisement", "gatt", "serial", …"""
    address: str
    """The sender's Bluetooth address "AA:BB:CC:DD:EE:FF" (on macOS a UUID: the system hides addresses)."""
    payload: bytes
    """For an advertisement: the manufacturer data after the company identifier."""
    rssi: int | None = None
    """Received signal strength in dBm; None if the transport does not say."""
    name: str | None = None
    """The local name of the device; None until its scan response is heard."""
    checked: bool = True
    """Whether a checksum vouches for the bytes, as a radio's link layer does; False near damage in a capture."""


class Reading(msgspec.Struct, frozen=True):
    """The values of one device at one time."""

    device: Device
    at: float
    frame: Frame
    record: Record
    """The values; those that cannot be true are None here and stand in `rejected`."""
    rejected: dict[str, Any] = {}
    """Values of the record that are physically impossible, by metric."""
    doubtful: tuple[str, ...] = ()
    """Metrics whose values are as the device sent them, and surprise: a jump, or a code nobody has named."""


class Undecoded(msgspec.Struct, frozen=True):
    """A frame that gave no values, and why: `reason` is a word of `model/reasons.py`, `detail` a sentence."""

    device: Device
    at: float
    frame: Frame
    reason: str
    detail: str
    record_type: int | None = None
