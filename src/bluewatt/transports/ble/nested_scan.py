"""A source around a scanner: what the virtual site and an adapter hosted by this process have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from types import TracebackType
from typing import TYPE_CHECKING, Self

from bluewatt.model.reading import Frame

if TYPE_CHECKING:
    from bluewatt.model.ports import ScanCounters
    from bluewatt.transports.ble.adapter import Mode
    from bluewatt.transports.ble.scan import BleSource


class NestedScanSource(ABC):
    """The advertisements a scanner hears, with everything that was opened for it closed again."""

    def __init__(self) -> None:
        self._open = AsyncExitStack()
        self._scan: BleSource | None = None

    @abstractmethod
    async def _scanner(self, stack: AsyncExitStack) -> BleSource:
        """Open the radio and the scanner on `stack`."""

    async def __aenter__(self) -> Self:
        try:
            self._scan = await self._scanner(self._open)
        except BaseException:
            await self._open.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._open.__aexit__(kind, error, trace)

    @property
    def mode(self) -> Mode:
        """How the scanner listens."""
        return self._opened().mode

    @property
    def mode_reason(self) -> str:
        """Why it listens so."""
        return self._opened().mode_reason

    @property
    def counters(self) -> ScanCounters:
        """What it has heard so far."""
        return self._opened().counters

    def _opened(self) -> BleSource:
        if self._scan is None:
            raise RuntimeError("the source is not open")
        return self._scan

    def __aiter__(self) -> AsyncIterator[Frame]:
        return aiter(self._opened())
