"""Which key opens which advertisement of a batch, as arrays of numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from bluewatt.tables.advertisement import AdvertHeader
from bluewatt.wire.instant_readout.cipher import Key

NO_KEY = -1
"""In an array of key indices: no key is known for this advertisement."""

_KEY_CHECK_AT = next(row.start // 8 for row in AdvertHeader.rows if row.name == "key_check")


def key_indices(addresses: NDArray[np.uint64], keys: Mapping[int, bytes | str]) -> tuple[list[Key], NDArray[np.int16]]:
    """Return the keys, and which of them each address has (`NO_KEY` for none); `decode_batch` takes both.

    AA:BB:CC:DD:EE:FF is the number 0xAABBCCDDEEFF. KeyProblem for a key that is none; at most 32767 keys.
    """
    ordered = sorted(keys)
    if not ordered:
        return [], np.full(len(addresses), NO_KEY, np.int16)
    known = np.array(ordered, np.uint64)
    places = np.minimum(np.searchsorted(known, addresses), len(ordered) - 1)
    index = np.where(known[places] == addresses, places, NO_KEY).astype(np.int16)
    return [Key.of(keys[address]) for address in ordered], index


def add_loose_keys(
    keys: list[Key], index: NDArray[np.int16], loose: Sequence[bytes | str], payloads: NDArray[np.uint8]
) -> tuple[list[Key], NDArray[np.int16]]:
    """Add keys whose device is not known to those of `key_indices`: each is for advertisements without a key that
    carry its first byte; of two with the same first byte the first serves."""
    by_check = np.full(1 << 8, NO_KEY, np.int16)
    for number, key in reversed(list(enumerate(map(Key.of, loose), len(keys)))):
        by_check[key[0]] = number
    found = by_check[payloads[:, _KEY_CHECK_AT]]
    return [*keys, *map(Key.of, loose)], np.where(index == NO_KEY, found, index)
