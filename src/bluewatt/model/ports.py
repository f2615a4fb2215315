"""The interfaces of the project: what a source, a link and a writer must do. Pure.

The dict `SOURCES` of `bluewatt.app` and the entry points `bluewatt.sources` name the sources; each is opened by a
string such as "ble:hci0" or "capture:drive.pcapng?speed=10".
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Protocol, Self, runtime_checkable

import msgspec

from bluewatt.errors import DeviceRefused, LinkTimeout
from bluewatt.model.identity import Device
from bluewatt.model.reading import Frame
from bluewatt.model.register_values import RegisterReading, RegisterValue


class Source(Protocol):
    """Delivers frames while it is open; ends when there are no more (a file) or when it is closed (a radio)."""

    async def __aenter__(self) -> Self:
        """Open the source; raises LinkError, CaptureError or ConfigError, with what to do, if that fails."""
        ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the source."""
        ...

    def __aiter__(self) -> AsyncIterator[Frame]:
        """Return an iterator over the frames, in the order they were received."""
        ...


class Link(Protocol):
    """An open connection to one device, to read its registers. Every failure is a LinkError or DeviceRefused.

    A register is named by its metric (the finest register that measures it), its key, "0xED8D" or its number.
    """

    @property
    def device(self) -> Device:
        """The device, as far as its advertisement and its registers identify it."""
        ...

    @property
    def family(self) -> str | None:
        """The family in the register table; None for a product that is not listed."""
        ...

    @property
    def data_instance(self) -> int:
        """The instance that holds the device's data."""
        ...

    async def get(self, register: str | int, instance: int | None = None) -> RegisterValue:
        """Read one register; without `instance`, on the instance where the device has it.

        Raises DeviceRefused if the device does not have it, Unencodable if the family has no register of that name.
        """
        ...

    async def get_many(
        self, registers: Iterable[str | int], instance: int | None = None
    ) -> list[RegisterValue | DeviceRefused | LinkTimeout]:
        """Read registers in as few messages as the device accepts; return a refusal in place of the value refused."""
        ...

    def subscribe(self) -> AsyncGenerator[RegisterReading, None]:
        """Yield what the device sends unasked, as it arrives; raises LinkLost at the end of the connection."""
        ...

    async def devices(self) -> Sequence[tuple[int, int]]:
        """Return the instances of the device, each with its kind."""
        ...

    async def unlock(self, pin: str) -> bool:
        """Do the second authentication that some firmware wants before it shows its key; False without one."""
        ...


class Writer(Protocol):
    """The writing half of a link, given only to `services.commander`, which alone knows what may be written."""

    async def write(self, register: int, raw: bytes, instance: int) -> None:
        """Write a register; raises DeviceRefused or a LinkError. A return does not prove that the device obeyed."""
        ...


@runtime_checkable
class KeyedSource(Protocol):
    """A source that knows the keys of its devices, as the simulated site does."""

    keys: Mapping[str, bytes]
    """Key by address, available while the source is open."""


@runtime_checkable
class ClockedSource(Protocol):
    """A source with a clock of its own: a simulated site that runs faster or slower than real time."""

    def now(self) -> float:
        """Return the present of the source, POSIX seconds."""


@runtime_checkable
class RadioSource(Protocol):
    """A source that listens to a radio."""

    @property
    def mode(self) -> str:
        """The way it scans, "passive" or "active"."""

    @property
    def mode_reason(self) -> str:
        """Why it scans that way, in a sentence."""

    @property
    def counters(self) -> ScanCounters:
        """The counters of this scan."""


@runtime_checkable
class ReadsFile(Protocol):
    """A source that reads a file."""

    path: str
    """The file, "-" for standard input."""


class ScanCounters(msgspec.Struct):
    """What a scan has heard and lost so far."""

    heard: int = 0
    """Advertisements of any device."""
    strangers: int = 0
    """Advertisements without manufacturer data of Victron."""
    dropped: int = 0
    """Frames discarded, oldest first, because they were not fetched in time."""
    rebuilds: int = 0
    """How often the scanner was restarted after a silence or a failure."""
