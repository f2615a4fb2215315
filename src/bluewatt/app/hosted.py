"""The sources `usb:0`, `hci-socket:0`, `tcp-client:HOST:PORT` …: what an adapter hears whose host this process is."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from types import TracebackType
from typing import TYPE_CHECKING, Self

from bluewatt.app.connect import frames_of, open_central
from bluewatt.model.reading import Frame

if TYPE_CHECKING:
    from bluewatt.transports.ble_scan import BleSource, Mode, ScanCounters


class HostedSource:
    """The advertisements heard through the radio of a transport string; entering raises what `open_central` raises."""

    def __init__(self, radio: str) -> None:
        self.radio = radio
        self._open = AsyncExitStack()
        self._scan: BleSource | None = None

    async def __aenter__(self) -> Self:
        try:
            central = await self._open.enter_async_context(open_central(self.radio))
            self._scan = await self._open.enter_async_context(frames_of(central))
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
