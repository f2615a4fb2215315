"""A source around a scanner, for the virtual site and for an adapter hosted by this process."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from bluewatt.model.reading import Frame
from bluewatt.transports.resource import Resource

if TYPE_CHECKING:
    from bluewatt.model.ports import ScanCounters
    from bluewatt.transports.ble.adapter import Mode
    from bluewatt.transports.ble.scan import BleSource


class NestedScanSource(Resource):
    """The advertisements a scanner hears; everything that was opened for it is closed with it."""

    def __init__(self) -> None:
        self._scan: BleSource | None = None

    @abstractmethod
    async def _scanner(self, stack: AsyncExitStack) -> BleSource:
        """Open the radio and the scanner on `stack`."""

    async def _open(self, stack: AsyncExitStack) -> None:
        self._scan = await self._scanner(stack)

    @property
    def mode(self) -> Mode:
        """The mode of the scanner."""
        return self._running().mode

    @property
    def mode_reason(self) -> str:
        """The reason for its mode."""
        return self._running().mode_reason

    @property
    def counters(self) -> ScanCounters:
        """Its counters so far."""
        return self._running().counters

    def _running(self) -> BleSource:
        if self._scan is None:
            raise RuntimeError("the source is not open")
        return self._scan

    def __aiter__(self) -> AsyncIterator[Frame]:
        return aiter(self._running())
