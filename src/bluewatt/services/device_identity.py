"""What simulated and emulated devices have in common: who they are, and how their advertisements are sealed."""

from __future__ import annotations

from typing import Any

import msgspec

from bluewatt.schema import Record
from bluewatt.services.chance import child_seed
from bluewatt.wire.instant_readout.advertisement import build_advertisement
from bluewatt.wire.instant_readout.cipher import Key

NONCES = 1 << 16
"""Number of nonces; after the last one they begin again at 0."""

_SERIAL_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"


class Identity(msgspec.Struct, frozen=True):
    """The identity of a device; all of it follows from its seed."""

    seed: int
    name: str
    """The local name of the factory; "{serial}" in it stands for the serial number."""
    product_id: int

    @property
    def address(self) -> str:
        """The Bluetooth address: random static, so its two top bits are ones."""
        bits = child_seed(self.seed, "address") >> 16 | 0b11 << 46
        return ":".join(f"{byte:02X}" for byte in bits.to_bytes(6, "big"))

    @property
    def key(self) -> Key:
        """The first advertisement key, before any change of PIN."""
        return Key(b"".join(child_seed(self.seed, "key", half).to_bytes(8, "big") for half in range(2)))

    @property
    def serial(self) -> str:
        """A serial number as devices have it printed: two letters, year and week, five characters."""
        digits = child_seed(self.seed, "serial")
        letters = "".join(_SERIAL_LETTERS[digits >> 5 * place & 31] for place in range(5))
        return f"HQ{22 + (digits >> 32) % 4}{1 + (digits >> 40) % 52:02d}{letters}"

    @property
    def local_name(self) -> str:
        """The name of the factory with the serial number in it."""
        return self.name.format(serial=self.serial)


def key_after(key: Key, fresh: bytes) -> Key:
    """Return the key that a change of PIN makes of 15 `fresh` bytes.

    Its first byte, which stands in every advertisement, is the next one, so that receivers notice the change.
    """
    return Key(bytes([(key[0] + 1) % 256]) + fresh)


class AdvertisementSealer:
    """The sealing of one device's advertisements: a nonce for each new record, the same bytes until one changes."""

    def __init__(self, product_id: int, *, nonce: int, identifier: int | None = None) -> None:
        self.nonce = nonce
        """The nonce of the last record sealed."""
        self._product_id = product_id
        self._identifier = identifier
        self._record: Record | None = None
        self._sealed: tuple[Any, ...] = ()
        self._payload = b""

    def seal(self, record: Record, key: Key) -> bytes:
        """Return the manufacturer data after the company identifier."""
        if record != self._record:
            self._record = record
            self.nonce = (self.nonce + 1) % NONCES
        wanted = (record, self.nonce, key)
        if self._sealed != wanted:
            self._payload = build_advertisement(
                record, product_id=self._product_id, key=key, nonce=self.nonce, identifier=self._identifier
            )
            self._sealed = wanted
        return self._payload
