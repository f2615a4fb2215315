"""The whole extension surface on one page: what a source and a sink must be.

Sources and sinks are named in the dicts of `bluewatt.app` and of the entry points `bluewatt.sources` and
`bluewatt.sinks`; they are opened by a string such as "ble:hci0" or "capture:drive.pcapng?speed=10".
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from types import TracebackType
from typing import Protocol, Self

from bluewatt.model.reading import Frame, Reading, Undecoded


class Source(Protocol):
    """Delivers frames while it is open; ends when there are no more (a file) or when it is closed (a radio)."""

    async def __aenter__(self) -> Self:
        """Open it; LinkError, CaptureError or ConfigError, with what to do, where that fails."""
        ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        ...

    def __aiter__(self) -> AsyncIterator[Frame]:
        """The frames, in the order they were received."""
        ...


class Sink(Protocol):
    """Takes what the receiver lets through."""

    async def put(self, outcome: Reading | Undecoded) -> None:
        """Take one reading, or one frame that gave none."""
        ...
