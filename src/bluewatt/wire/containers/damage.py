"""The damaged places of a capture: no checksum protects the packets around them, as one does on a radio."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from itertools import groupby

from bluewatt.errors import CaptureError
from bluewatt.wire.bluetooth.packets import Packet

REACH = 1024
"""Bytes before and behind a damaged place in which packets are not taken as checked (our own choice)."""


class Damage:
    """The damaged places of one capture, as far as it was read."""

    def __init__(self) -> None:
        self._places: list[int] = []

    def split(self, packets: list[Packet], problems: Iterable[CaptureError]) -> Iterator[tuple[list[Packet], bool]]:
        """Yield the packets of a block in their order, in runs, each with whether it is far from all damage.

        `problems` are those the reader of the container met in this block.
        """
        self._places += sorted(problem.offset for problem in problems)
        if not self._places:
            yield packets, True
            return
        for near, run in groupby(packets, lambda packet: self._is_near(packet[4])):
            yield list(run), not near
        if packets:
            del self._places[: bisect_left(self._places, packets[-1][4] - REACH)]

    def _is_near(self, offset: int) -> bool:
        following = bisect_left(self._places, offset - REACH)
        return following < len(self._places) and self._places[following] <= offset + REACH
