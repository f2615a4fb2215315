"""The whole extension surface on one page: what a source, a link and a writer must be.

Sources are named in the dict `SOURCES` of `bluewatt.app` and in the entry points `bluewatt.sources`; they are opened by
a string such as "ble:hci0" or "capture:drive.pcapng?speed=10".
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self, runtime_checkable

import msgspec

from bluewatt.errors import DeviceRefused, LinkTimeout
from bluewatt.model.identity import Device
from bluewatt.model.reading import Frame
from bluewatt.model.register_values import RegisterReading, RegisterValue

if TYPE_CHECKING:
    pass


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


class Link(Protocol):
    """An open connection to one device, to read its registers; every failure is a LinkError or DeviceRefused.

    A register is named by its metric (the finest register that measures it), its key, "0xED8D" or its number.
    """

    @property
    def device(self) -> Device:
        """Who it is, as far as its advertisement and its registers told."""
        ...

    @property
    def family(self) -> str | None:
        """The family in the register table, None for a product nobody has listed."""
        ...

    @property
    def data_instance(self) -> int:
        """The instance that holds the device's data."""
        ...

    async def get(self, register: str | int, instance: int | None = None) -> RegisterValue:
        """Read one register, without `instance` where the device has it; DeviceRefused where it has not.

        Unencodable for a name that is none of the family's.
        """
        ...

    async def get_many(
        self, registers: Iterable[str | int], instance: int | None = None
    ) -> list[RegisterValue | DeviceRefused | LinkTimeout]:
        """Read registers in as few messages as the device takes; a refusal stands in the place of its value."""
        ...

    def subscribe(self) -> AsyncGenerator[RegisterReading, None]:
        """What the device tells unasked, as it comes; ends with LinkLost."""
        ...

    async def devices(self) -> Sequence[tuple[int, int]]:
        """The instances of the device, each with its kind."""
        ...

    async def unlock(self, pin: str) -> bool:
        """The second authentication that some firmware wants before it shows its key; False where there is none."""
        ...


class Writer(Protocol):
    """The writing half of a link. It is handed to `services.commander` only, which alone knows what may be written."""

    async def write(self, register: int, raw: bytes, instance: int) -> None:
        """Write a register; DeviceRefused or a LinkError. Returning does not prove that the device obeyed."""
        ...


@runtime_checkable
class KeyedSource(Protocol):
    """A source that knows the keys of its devices, as the simulated site does."""

    keys: Mapping[str, bytes]
    """By address; there when the source is open."""


@runtime_checkable
class ClockedSource(Protocol):
    """A source whose time is not the world's: a simulated site, faster or slower."""

    def now(self) -> float:
        """The source's present, POSIX seconds."""


@runtime_checkable
class RadioSource(Protocol):
    """A source that listens to a radio, now."""

    @property
    def mode(self) -> str:
        """ "passive" or "active"."""

    @property
    def mode_reason(self) -> str:
        """Why it listens so."""

    @property
    def counters(self) -> ScanCounters:
        """What it has heard so far."""


@runtime_checkable
class ReadsFile(Protocol):
    """A source that reads a file."""

    path: str
    """The file, "-" for standard input."""


class ScanCounters(msgspec.Struct):
    """What a scan has seen and lost so far."""

    heard: int = 0
    """Advertisements of any device."""
    strangers: int = 0
    """Advertisements without manufacturer data of Victron."""
    dropped: int = 0
    """Frames thrown away, oldest first, because nobody took them in time."""
    rebuilds: int = 0
    """How often the scanner was built anew after a silence or a failure."""
