"""What the receiver remembers about one device between its advertisements."""

from __future__ import annotations

from collections import deque

from bluewatt.model.identity import Device
from bluewatt.model.trust.duplicates import Copies
from bluewatt.model.trust.key_trial import KeyTrial
from bluewatt.model.trust.key_verdict import KeyVerdict
from bluewatt.wire.instant_readout.cipher import Key

WAITING = 16
"""Samples that wait at most for their key to be proven."""


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
        """By key; under None stands what an unsealed record was compared with."""
        self.last: KeyTrial | None = None
        """The last sample that was published."""
        self.heard = 0.0
        """When that, or a copy of it, was last heard."""
        self.base: KeyTrial | None = None
        """The last sample without a mark, if the last one has a mark; None if it has none."""
        self.doubted: KeyTrial | None = None
        """An unchecked sample that waits until the next one agrees."""
        self.refused: tuple[bytes, Key | None] | None = None
        """The last bytes that no key opened, and the key the device had then."""
        self.waiting: deque[KeyTrial] = deque(maxlen=WAITING)
        """Samples that wait until the key is believed."""
