"""The identity of a device, as far as it is known. Pure."""

from __future__ import annotations

import msgspec


class Device(msgspec.Struct, frozen=True, gc=False, cache_hash=True):
    """A device that sent something, as far as it is known."""

    id: str
    """The serial number if it is known, else the address. A serial number outlives a change of address."""
    address: str
    name: str | None = None
    product_id: int | None = None
