"""The wiring: from a source string to readings.

A source is opened by a string, NAME:WHAT?option=value: `ble:`, `ble:hci1`, `capture:drive.pcapng?speed=10`,
`virtual:?seed=7`. The names stand in `SOURCES` and in the entry points of the group `bluewatt.sources`; each leads to
a function from the text behind the colon to a `Source` (model/ports.py), imported when it is first asked for.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Mapping
from importlib import import_module
from importlib.metadata import entry_points
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from bluewatt.errors import CaptureError, ConfigError
from bluewatt.model.keys import KeyRing
from bluewatt.model.ports import BringsKeys, HasClock, ReadsFile, Scanner, Source
from bluewatt.model.reading import Frame, Reading, Undecoded
from bluewatt.model.receiver import Receiver
from bluewatt.model.register_values import RegisterReading
from bluewatt.model.roster import Roster
from bluewatt.model.vesmart import NetworkAwareReceiver
from bluewatt.services.keys import gather_keys
from bluewatt.transports.radio_names import KINDS
from bluewatt.transports.source_options import split_options

if TYPE_CHECKING:
    from bluewatt.wire.vesmart.broadcast import Network

SOURCES: dict[str, str] = {
    "ble": "bluewatt.app:ble_source",
    "capture": "bluewatt.transports.capture.source:CaptureSource.from_text",
    "virtual": "bluewatt.app.virtual:VirtualSource.from_text",
    **dict.fromkeys(KINDS, "bluewatt.app.hosted:HostedSource"),
}
"""Name of a source → "module:function"; what hosts an adapter itself is given the whole source string."""

GROUP = "bluewatt.sources"
"""The entry points that add sources."""

_EXTRAS = {"ble": "ble", "virtual": "ble,emulator"}


def files_of(source: Source) -> list[str]:
    """Return the files a source reads: none of them may be written meanwhile."""
    return [str(source.path)] if isinstance(source, ReadsFile) else []


class OpenSource:
    """A source and what is made of its frames: `async with open_source("ble:") as source: async for reading in source`.

    `outcomes()` tells more: every frame that gave no values, too, with its reason. `roster` knows every device heard,
    `receiver` what became of the keys and of doubtful values.
    """

    def __init__(
        self,
        source: Source,
        keys: KeyRing,
        *,
        networks: Iterable[Network] = (),
        on_frame: Callable[[Frame], None] | None = None,
        on_registers: Callable[[RegisterReading], None] | None = None,
        steady_clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.source = source
        self.receiver = Receiver(keys)
        self._listener = NetworkAwareReceiver(self.receiver, networks)
        self.on_registers = on_registers
        """Told what members of VE.Smart networks tell."""
        self.roster = Roster(self.receiver.keys.knows)
        self.frames = 0
        """Frames of Victron devices heard so far."""
        self._latest = 0.0
        self._on_frame = on_frame
        self._steady_clock = steady_clock

    async def __aenter__(self) -> Self:
        await self.source.__aenter__()
        if isinstance(self.source, BringsKeys):
            for address, key in self.source.keys.items():
                self.receiver.keys.add(address, key)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.source.__aexit__(kind, error, trace)

    async def __aiter__(self) -> AsyncIterator[Reading]:
        """The readings, as they come."""
        async for outcome in self.outcomes():
            if isinstance(outcome, Reading):
                yield outcome

    async def outcomes(self) -> AsyncGenerator[Reading | Undecoded, None]:
        """The readings, and the frames that gave none; what waits for proof is judged when the source ends."""
        damage: CaptureError | None = None
        try:
            async for frame in self.source:
                self.frames += 1
                self._latest = max(self._latest, frame.at)
                if self._on_frame:
                    self._on_frame(frame)
                self.roster.heard(frame, self._monotonic())
                for outcome in self._listener.feed(frame):
                    if isinstance(outcome, RegisterReading):
                        self._network(outcome)
                        continue
                    self.roster.told(outcome)
                    yield outcome
        except CaptureError as error:
            damage = error
        for outcome in self.receiver.flush():
            self.roster.told(outcome)
            yield outcome
        if damage:
            raise damage

    def _network(self, reading: RegisterReading) -> None:
        """What a member of a VE.Smart network told the others."""
        self.roster.networked(reading)
        if self.on_registers:
            self.on_registers(reading)

    def now(self) -> float:
        """The present as the frames count it: of a capture the time of its last frame, else the source's clock."""
        if isinstance(self.source, HasClock):
            return self.source.now()
        return time.time() if self.scanner else self._latest

    def presence_time(self) -> float:
        """Return the present as the roster counts it, in seconds of a clock that nobody sets."""
        if isinstance(self.source, HasClock):
            return self.source.now()
        return self.roster.timeline.now if (now := self._monotonic()) is None else now

    def _monotonic(self) -> float | None:
        """The computer's steady clock where a radio is heard now; None where frames bring a time of their own."""
        return self._steady_clock() if self.scanner and not isinstance(self.source, HasClock) else None

    @property
    def scanner(self) -> Scanner | None:
        """The source, where it listens to a radio; None for a file."""
        return self.source if isinstance(self.source, Scanner) else None


def open_source(
    spec: str,
    *,
    keys: KeyRing | Mapping[str, bytes | str] | None = None,
    networks: Iterable[Network] = (),
    on_frame: Callable[[Frame], None] | None = None,
    on_registers: Callable[[RegisterReading], None] | None = None,
) -> OpenSource:
    """The source named by `spec`, to be entered with `async with`; iterating it gives readings.

    `keys` by address; left out, those of the key file and of the environment count. `on_frame` sees every frame before
    it is opened (a recorder). Of the VE.Smart `networks` given, `on_registers` is
    told what members tell. ConfigError for a text that names no source, or one whose libraries are not installed.
    """
    ring = gather_keys() if keys is None else keys if isinstance(keys, KeyRing) else KeyRing(keys)
    return OpenSource(make_source(spec), ring, networks=networks, on_frame=on_frame, on_registers=on_registers)


def make_source(spec: str) -> Source:
    """The source named by a source string, not open yet; errors as in `open_source`."""
    name, colon, text = spec.partition(":")
    place = SOURCES.get(name) or _plugin(name)
    if not colon or place is None:
        hint = "write " + ", ".join(f"{known}:" for known in SOURCES)
        raise ConfigError(f"{spec!r} names no source", hint=hint)
    try:
        made: Source = _load(place)(spec if name in KINDS else text)
    except ModuleNotFoundError as missing:
        extra = _EXTRAS.get(name, name)
        hint = f"run: pip install 'bluewatt[{extra}]'"
        raise ConfigError(f"the source {name}: needs the library {missing.name}", hint=hint) from missing
    return made


def is_source(text: str) -> bool:
    """Whether a text begins as a source string does."""
    name, colon, _ = text.partition(":")
    return bool(colon) and (name in SOURCES or _plugin(name) is not None)


def _plugin(name: str) -> str | None:
    return next((found.value for found in entry_points(group=GROUP, name=name)), None)


def _load(place: str) -> Callable[[str], Source]:
    module, _, path = place.partition(":")
    found: Any = import_module(module)
    for name in path.split("."):
        found = getattr(found, name)
    opener: Callable[[str], Source] = found
    return opener


def ble_source(text: str) -> Source:
    """The source `ble:[ADAPTER][?mode=passive|active]`."""
    adapter, options = split_options("ble", text, {"mode": _mode})
    ble_scan = import_module("bluewatt.transports.ble.scan")
    made: Source = ble_scan.BleSource(adapter or None, mode=options.get("mode"))
    return made


def _mode(text: str) -> str:
    if text not in ("passive", "active"):
        raise ValueError
    return text
