"""The batch decoder's part for records whose layout nobody has published: all their bytes, however many were sent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bluewatt.wire.instant_readout.cipher import Key, key_stream


def open_raw(
    bodies: NDArray[np.uint8], lengths: NDArray[np.int64], nonces: NDArray[Any], keys: Sequence[Key | None]
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Return the bytes of records, opened, and which of them were sent.

    `bodies` has a row of bytes per record, `lengths` says how many of them count, and each has its nonce and its key,
    None for a record that is not encrypted. Such devices are rare, so the records are opened one by one.
    """
    width = int(lengths.max(initial=0))
    opened = bodies[:, :width].copy()
    for body, nonce, key in zip(opened, nonces.tolist(), keys, strict=True):
        if key is not None:
            body ^= np.frombuffer(key_stream(key, nonce, width)[:width], np.uint8)
    return opened, np.arange(width) < lengths[:, None]
