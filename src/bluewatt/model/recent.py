"""A bounded memory of devices, which forgets the least recently heard one first, never one with a key. Pure."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

_T = TypeVar("_T")

MOST_DEVICES = 1 << 14
"""Devices remembered at once. No site has more, but a forged capture may hold any number of addresses."""

_CANDIDATES = 64  # devices examined for one to forget; those kept move to the end, so that no search is repeated


def _has_none(address: str) -> bool:
    return False


class Recent(OrderedDict[str, _T], Generic[_T]):
    """What is remembered by address, the least recently heard first. Call `move_to_end(address)` at each new frame.

    It holds at most `most` devices, besides those for which `has_key` is true: they are never forgotten.
    """

    def __init__(self, most: int = MOST_DEVICES, has_key: Callable[[str], bool] = _has_none) -> None:
        super().__init__()
        self.most = most
        self._has_key = has_key

    def remember(self, address: str, thing: _T) -> _T:
        """Keep a thing as the one most recently heard, and return it."""
        self[address] = thing
        self.move_to_end(address)
        if len(self) > self.most:
            self._make_room(address)
        return thing

    def _make_room(self, newest: str) -> None:
        for _ in range(_CANDIDATES):
            oldest = next(iter(self))
            if oldest == newest:
                return
            if not self._has_key(oldest):
                del self[oldest]
                return
            self.move_to_end(oldest)
