"""The values that travel up through Bluewatt: Frame → Reading or Undecoded.

All are frozen. `at` is POSIX seconds in UTC and comes with the frame, never from a clock in here, so that a capture
replayed at a thousand times its speed gives the same rows as the live radio.
"""

from __future__ import annotations

from typing import Any

import msgspec

from bluewatt.schema import Record

ADVERTISEMENT = "advertisement"
"""The medium of manufacturer data heard on air."""


class Frame(msgspec.Struct, frozen=True, gc=False):
    """Bytes as a transport delivered them, before anybody looked inside."""

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
    """Received signal strength in dBm, None where the transport does not say."""
    name: str | None = None
    """The local name the device gave, None while its scan response was not heard."""
    checked: bool = True
    """Whether a checksum vouches for the bytes, as a radio's link layer does; False near damage in a capture."""


class Device(msgspec.Struct, frozen=True, gc=False, cache_hash=True):
    """Who sent something, as far as it is known."""

    id: str
    """The serial number where it is known, else the address: what survives a change of address or of host."""
    address: str
    name: str | None = None
    product_id: int | None = None


class Reading(msgspec.Struct, frozen=True):
    """What one device said at one time."""

    device: Device
    at: float
    frame: Frame
    record: Record
    """The values; those that cannot be true are None here and stand in `rejected`."""
    rejected: dict[str, Any] = {}
    """Values of the record that are physically impossible, by metric."""
    doubtful: tuple[str, ...] = ()
    """Metrics whose values are as the device sent them and yet surprise: a jump, or a code that nobody has named."""


class Undecoded(msgspec.Struct, frozen=True):
    """A frame that gave no values, and why: `reason` is the name of an error class, `detail` a sentence."""

    device: Device
    at: float
    frame: Frame
    reason: str
    detail: str
    record_type: int | None = None
