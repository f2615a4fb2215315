"""Who sent something: a device, by all that is known of it."""

from __future__ import annotations

import msgspec


class Device(msgspec.Struct, frozen=True, gc=False, cache_hash=True):
    """Who sent something, as far as it is known."""

    id: str
    """The serial number where it is known, else the address: what survives a change of address or of host."""
    address: str
    name: str | None = None
    product_id: int | None = None
