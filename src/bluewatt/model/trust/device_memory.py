"""What the receiver remembers about one device between its advertisements."""

from __future__ import annotations

from collections import deque

from bluewatt.model.identity import Device
from bluewatt.model.trust.duplicates import Copies
from bluewatt.model.trust.key_trial import KeyTrial
from bluewatt.model.trust.key_verdict import KeyVerdict
from bluewatt.wire.instant_readout.cipher import Key

WAITING = 16
"""Samples held at most until their key is proven."""


class DeviceMemory:
    """What the receiver remembers about one device."""

    __slots__ = (
        "base",
        "copies",
        "device",
        "doubted",
        "heard",
        "key",
        "last",
        "name",
        "product_id",
        "refused",
        "verdicts",
        "waiting",
    )

    def __init__(self) -> None:
        self.name: str | None = None
        self.product_id: int | None = None
        self.copies = Copies()
        self.key: Key | None = None
        """The key that opened the last sample."""
        self.device: Device | None = None
        self.verdicts: dict[Key | None, KeyVerdict] = {}
        """Verdict by key; under None, that of unencrypted records."""
        self.last: KeyTrial | None = None
        """The last sample that was published."""
        self.heard = 0.0
        """When that sample, or a copy of it, was last heard, POSIX seconds."""
        self.base: KeyTrial | None = None
        """The last published sample without a mark, if `last` has a mark; else None."""
        self.doubted: KeyTrial | None = None
        """An unchecked sample that is held until the next one agrees."""
        self.refused: tuple[bytes, Key | None] | None = None
        """The last bytes that no key opened, and the key the device had then."""
        self.waiting: deque[KeyTrial] = deque(maxlen=WAITING)
        """Samples that are held until the key is believed."""
