"""The keys of the key file without the keys: whose they are, how to tell two apart, and which of them are right."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterable, Mapping
from pathlib import Path

import msgspec

from bluewatt.model.keys import KeyRing
from bluewatt.model.reading import Frame
from bluewatt.model.receiver import Receiver
from bluewatt.model.trust.key_verdict import KeyState
from bluewatt.services.keys import key_file_names, load_keys, load_networks
from bluewatt.services.pins import find_pin
from bluewatt.time_limit import time_limit
from bluewatt.wire.instant_readout.advertisement import is_vesmart, parse_advertisement
from bluewatt.wire.instant_readout.cipher import Key, ShortKey

FINGERPRINT = 8
"""Hex digits of a fingerprint: enough to tell two keys apart, and of no use to find a key."""

RIGHT, WRONG, UNPROVEN, NO_VALUES, NOT_HEARD = "right", "wrong", "unproven", "no values", "not heard"
"""What `check_keys` says of a key: it opens what its device sends; it does not; too little came to tell; the device
sends nothing that a key opens; the device was not heard."""

_VERDICTS = {KeyState.RIGHT: RIGHT, KeyState.WRONG: WRONG, KeyState.CHANGED: WRONG}


class ListedKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key of the key file."""

    address: str | None = None
    """The device it belongs to; None for a key that is tried on every device, and for the key of a network."""
    network: str | None = None
    """The VE.Smart network it belongs to, four hex digits; None for the key of a device."""
    name: str = ""
    fingerprint: str | None
    """None for a key whose first digit is missing."""
    pin_known: bool = False


def list_keys(path: Path) -> list[ListedKey]:
    """Return the keys of a key file, devices before networks; errors as `load_keys` has them."""
    names = key_file_names(path)
    listed = [_listed(address, key, names) for address, key in load_keys(path)]
    for network in load_networks(path):
        identifier = network.network_id.hex().upper()
        listed.append(ListedKey(network=identifier, name=network.name, fingerprint=fingerprint(network.key)))
    return listed


def _listed(address: str | None, key: Key | ShortKey, names: Mapping[str, str]) -> ListedKey:
    name = names.get(address or "", "")
    pin_known = address is not None and any(find_pin(device, None) for device in (address, name) if device)
    mark = fingerprint(key) if isinstance(key, Key) else None
    return ListedKey(address=address, name=name, fingerprint=mark, pin_known=pin_known)


def fingerprint(key: bytes) -> str:
    """Return the first hex digits of the SHA-256 of a key: the same for the same key, and nothing of the key itself."""
    return hashlib.sha256(bytes(key)).hexdigest()[:FINGERPRINT]


class KeyCheck:
    """What the air says of one key. `address` is None for a key whose device is not known: any device may prove it."""

    def __init__(self, address: str | None, key: Key | ShortKey) -> None:
        self.address = address
        self.key = key
        self._receiver = Receiver(KeyRing({address: key}) if address else KeyRing(loose=[key]))
        self._heard = False
        self._sealed = False
        self._proved = False

    def feed(self, frame: Frame) -> None:
        """Take an advertisement of any device."""
        if (self.address is not None and frame.address != self.address) or self._proved:
            return
        self._heard = True
        self._sealed = self._sealed or _is_sealed(frame)
        self._receiver.feed(frame)
        if self._receiver.key_state(frame.address) is KeyState.RIGHT:
            self.address, self._proved = frame.address, True

    @property
    def verdict(self) -> str:
        """RIGHT, WRONG, UNPROVEN, NO_VALUES or NOT_HEARD."""
        if self._proved:
            return RIGHT
        if not self._heard or self.address is None:
            return NOT_HEARD
        if not self._sealed:
            return NO_VALUES
        return _VERDICTS.get(self._receiver.key_state(self.address), UNPROVEN)


def _is_sealed(frame: Frame) -> bool:
    try:
        return not is_vesmart(frame.payload) and parse_advertisement(frame.payload).sealed
    except ValueError:
        return False


async def check_keys(
    keys: list[tuple[str | None, Key | ShortKey]], frames: AsyncIterable[Frame], *, seconds: float
) -> list[KeyCheck]:
    """Listen until every key is proved right or wrong, for `seconds` at most, and return what is known of each."""
    checks = [KeyCheck(address, key) for address, key in keys]
    async with time_limit(seconds):
        async for frame in frames:
            for check in checks:
                check.feed(frame)
            if all(check.verdict in (RIGHT, WRONG) for check in checks):
                break
    return checks
