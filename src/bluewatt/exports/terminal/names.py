"""Names the user gave devices in the key file or the settings; every table shows them in place of a device's own."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import msgspec

from bluewatt.model.identity import Device

NO_NAMES: Mapping[str, str] = MappingProxyType({})
"""The names of a user who gave none."""


def given_name(address: str, names: Mapping[str, str]) -> str:
    """Return the name a user gave the device of an address ("AA:BB:CC:DD:EE:FF"); empty if there is none."""
    return names.get(address.upper(), "")


def with_given_name(device: Device, names: Mapping[str, str]) -> Device:
    """Return a device with the name its user gave it, or the device as it is."""
    name = given_name(device.address, names)
    return msgspec.structs.replace(device, name=name) if name else device
