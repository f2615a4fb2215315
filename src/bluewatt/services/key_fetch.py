"""Advertisement keys: fetched over a link, proved on the air before they are saved, compared with the one before.

Protocol page victronconnect-gatt, section 10. A key is a register of the Bluetooth part; firmware that refuses the
plain read requires the answer to a nonce first (single source), which is tried with the owner's PIN and only then.
"""

from __future__ import annotations

import enum
from collections.abc import AsyncIterable
from contextlib import suppress
from pathlib import Path

import msgspec

from bluewatt.errors import DeviceRefused, KeyMismatch, KeyProblem, LinkTimeout
from bluewatt.model.keys import KeyRing, normal_address
from bluewatt.model.ports import Link
from bluewatt.model.reading import Frame, Reading, Undecoded
from bluewatt.model.receiver import Receiver
from bluewatt.services.keys import default_path, load_keys, save_key
from bluewatt.time_limit import time_limit
from bluewatt.wire.instant_readout.advertisement import parse_advertisement
from bluewatt.wire.instant_readout.cipher import Key, key_for

KEY, ADDRESS, MODE = "advertisement_key", "ble_mac_address", "advertisement_mode"
"""Keys of the registers 0xEC65, 0xEC66 and 0xEC7D."""

INSTANCE = 0
"""The instance of the Bluetooth part, which has them."""

PROOF = 15.0
"""Seconds to wait for an advertisement that proves a key; the device begins again a moment after the link ended."""

_SIZE = 16


class Fetched(msgspec.Struct, frozen=True):
    """A key as read from the device."""

    key: Key
    addresses: tuple[str, ...]
    """Addresses to save it under: the device's own, and the system's name for it if that differs (macOS)."""
    readout: bool | None
    """Whether the device advertises its values (Instant Readout); None if it does not say."""


class KeyChange(enum.Enum):
    """How a key compares with the key file."""

    NEW = "new"
    SAME = "same"
    CHANGED = "changed"
    """A key other than the saved one: the PIN was changed since, which makes a new key each time."""


async def fetch_key(link: Link, *, pin: str | None = None) -> Fetched:
    """Read the key; KeyProblem if the device has none, DeviceRefused if it keeps it to itself."""
    key = await _read_key(link, pin)
    if len(key) != _SIZE or len(set(key)) == 1:
        raise KeyProblem(f"{_name(link)} gave {len(key)} bytes that are no key: switch its Instant Readout on")
    addresses = [link.device.address]
    mode: bool | None = None
    with suppress(DeviceRefused, LinkTimeout):
        addresses.insert(0, normal_address((await link.get(ADDRESS, INSTANCE)).raw.hex()))
    with suppress(DeviceRefused, LinkTimeout):
        mode = bool((await link.get(MODE, INSTANCE)).value)
    return Fetched(Key.of(key), tuple(dict.fromkeys(addresses)), mode)


async def _read_key(link: Link, pin: str | None) -> bytes:
    try:
        return (await link.get(KEY, INSTANCE)).raw
    except (DeviceRefused, LinkTimeout):
        if pin is None or not await link.unlock(pin):
            raise
    return (await link.get(KEY, INSTANCE)).raw


def _name(link: Link) -> str:
    return link.device.name or link.device.address


async def prove_key(fetched: Fetched, frames: AsyncIterable[Frame], *, seconds: float = PROOF) -> Reading:
    """Return the first advertisement that the key opens; the link must be closed: a device is silent while connected.

    Raises KeyMismatch if its advertisements are sealed with another key, KeyProblem if it sends none that are sealed.
    """
    receiver = Receiver(KeyRing({address: bytes(fetched.key) for address in fetched.addresses}))
    heard, foreign = 0, 0
    async with time_limit(seconds):
        async for frame in frames:
            if frame.address not in fetched.addresses or not _is_sealed(frame):
                heard += frame.address in fetched.addresses
                continue
            for outcome in receiver.feed(frame):
                if isinstance(outcome, Reading):
                    return outcome
                foreign += _is_foreign(outcome)
    raise _unproved(fetched, heard, foreign)


def _is_sealed(frame: Frame) -> bool:
    with suppress(ValueError):
        return parse_advertisement(frame.payload).sealed
    return False


def _is_foreign(outcome: Undecoded) -> bool:
    return outcome.reason == KeyMismatch.__name__


def _unproved(fetched: Fetched, heard: int, foreign: int) -> KeyProblem:
    where = fetched.addresses[0]
    if foreign:
        return KeyMismatch(
            f"the key read from {where} does not open what it advertises: nothing was saved; was its PIN changed just"
            " now? Then fetch it again"
        )
    if fetched.readout is False or heard:
        return KeyProblem(
            f"{where} does not advertise its values, so its key could not be proved and was not saved: switch Instant"
            " Readout on in VictronConnect (Product info)"
        )
    return KeyProblem(
        f"no advertisement of {where} was heard after the connection ended, so its key could not be proved and was not"
        " saved: close other apps that are connected to it, go nearer and try again"
    )


def compare_keys(fetched: Fetched, path: Path | None = None) -> KeyChange:
    """Compare a key with the one in the key file."""
    path = path or default_path()
    known = dict(load_keys(path)) if path.exists() else {}
    before = next((known[address] for address in fetched.addresses if address in known), None)
    if before is None:
        return KeyChange.NEW
    return KeyChange.SAME if key_for(before, fetched.key[0]) == fetched.key else KeyChange.CHANGED


def save(fetched: Fetched, path: Path | None = None) -> Path:
    """Save the key under the device's addresses; return the file."""
    for address in fetched.addresses:
        path = save_key(address, fetched.key, path)
    return path or default_path()
