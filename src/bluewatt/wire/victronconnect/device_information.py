"""The base service of VictronConnect: versions of the Bluetooth module, and the answer to its nonce.

Protocol page victronconnect-gatt, sections 10 and 11.
"""

from __future__ import annotations

import struct
import zlib

import msgspec

from bluewatt.errors import Malformed, Unencodable

_FIXED = struct.Struct("<IIHHHI")
_NONCE_SIZE = 8
_LARGEST_PASSKEY = 999_999


class DeviceInformation(msgspec.Struct, frozen=True, gc=False):
    """The content of 97580002; an app's display confirms only the firmware version, the other names are inferred."""

    bootloader_version: int
    """u24 version over a release byte 0xFF: 0x000116FF is 1.16."""
    firmware_version: int
    """Firmware of the Bluetooth module, laid out alike: 0x000246FF is 2.46."""
    radio_stack: int
    module_product_id: int
    field_12: int
    field_14: int
    tail: bytes

    @property
    def firmware(self) -> str:
        """The firmware version as the app shows it: "2.46"."""
        return f"{self.firmware_version >> 16:x}.{self.firmware_version >> 8 & 0xFF:02x}"


def parse_device_information(data: bytes) -> DeviceInformation:
    """Read 97580002; raises `Malformed` below 18 bytes."""
    if len(data) < _FIXED.size:
        raise Malformed(f"device information of {len(data)} bytes, {_FIXED.size} are needed")
    return DeviceInformation(*(*_FIXED.unpack_from(data), bytes(data[_FIXED.size :])))


def build_device_information(information: DeviceInformation) -> bytes:
    """Return the bytes of 97580002; raises `Unencodable`."""
    *numbers, tail = msgspec.structs.astuple(information)
    try:
        return _FIXED.pack(*numbers) + bytes(tail)
    except struct.error as error:
        raise Unencodable(f"{information!r} cannot be written: {error}") from error


def puk_answer(nonce: bytes) -> bytes:
    """Return what to write to 97580006 after reading its nonce of 8 bytes: its CRC-32, little endian (one source)."""
    if len(nonce) != _NONCE_SIZE:
        raise Malformed(f"a nonce of {len(nonce)} bytes, {_NONCE_SIZE} are needed")
    return zlib.crc32(nonce).to_bytes(4, "little")


def pin_answer(nonce: bytes, passkey: int) -> bytes:
    """Return what to write to 97580003 after a fresh nonce: it and the passkey (section 10, step 3; single source)."""
    if not 0 <= passkey <= _LARGEST_PASSKEY:
        raise Unencodable("a passkey has six digits")
    if len(nonce) != _NONCE_SIZE:
        raise Malformed(f"a nonce of {len(nonce)} bytes, {_NONCE_SIZE} are needed")
    return nonce + passkey.to_bytes(4, "little")
