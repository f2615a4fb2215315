"""A bounded memory of devices: the least recently heard one makes room, never one that has a key. Pure."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

_T = TypeVar("_T")

MOST_DEVICES = 1 << 14
"""Devices remembered at once: no site has more, but a forger, or a forged capture, may send any number of addresses."""

_LOOKED_AT = 64  # devices looked at for one that may go; those passed over go to the end, so no search is repeated


def _nobody(address: str) -> bool:
    return False


class Recent(OrderedDict[str, _T], Generic[_T]):
    """What is remembered by address, the least recently heard first; `move_to_end(address)` when it is heard again.

    At most `most` devices, and those beyond that which `has_key` names: they are never forgotten.
    """

    def __init__(self, most: int = MOST_DEVICES, has_key: Callable[[str], bool] = _nobody) -> None:
        super().__init__()
        self.most = most
        self._has_key = has_key

    def remember(self, address: str, thing: _T) -> _T:
        """Keep a thing as the one most recently heard; returns it."""
        self[address] = thing
        self.move_to_end(address)
        if len(self) > self.most:
            self._make_room(address)
        return thing

    def _make_room(self, newest: str) -> None:
        for _ in range(_LOOKED_AT):
            oldest = next(iter(self))
            if oldest == newest:
                return
            if not self._has_key(oldest):
                del self[oldest]
                return
            self.move_to_end(oldest)
