"""Turns the frames of a source into readings, a roster and counts, and says why nothing was heard."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Self

from bluewatt.errors import BluewattError, CaptureError, DeviceNotFound
from bluewatt.model.keys import KeyRing
from bluewatt.model.ports import ClockedSource, KeyedSource, RadioSource, Source
from bluewatt.model.reading import Frame, Reading, Undecoded
from bluewatt.model.receiver import Receiver
from bluewatt.model.register_values import RegisterReading
from bluewatt.model.roster import Roster
from bluewatt.model.trust.key_verdict import KeyState
from bluewatt.model.vesmart import VeSmartReceiver

if TYPE_CHECKING:
    from bluewatt.wire.vesmart.broadcast import Network


class SourceReader:
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
        self._listener = VeSmartReceiver(self.receiver, networks)
        self.on_registers = on_registers
        """Called with what members of VE.Smart networks broadcast."""
        self.roster = Roster(self.receiver.keys.knows)
        self.frames = 0
        """Number of frames of Victron devices heard so far."""
        self._latest = 0.0
        self._on_frame = on_frame
        self._steady_clock = steady_clock

    async def __aenter__(self) -> Self:
        await self.source.__aenter__()
        if isinstance(self.source, KeyedSource):
            for address, key in self.source.keys.items():
                self.receiver.keys.add(address, key)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.source.__aexit__(kind, error, trace)

    async def __aiter__(self) -> AsyncIterator[Reading]:
        """Iterate over the readings as they come."""
        async for outcome in self.outcomes():
            if isinstance(outcome, Reading):
                yield outcome

    async def outcomes(self) -> AsyncGenerator[Reading | Undecoded, None]:
        """Yield the readings, and the frames that gave none; what waits for proof is judged when the source ends."""
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
                    self.roster.update(outcome)
                    yield outcome
        except CaptureError as error:
            damage = error
        for outcome in self.receiver.flush():
            self.roster.update(outcome)
            yield outcome
        if damage:
            raise damage

    def _network(self, reading: RegisterReading) -> None:
        """Take note of what a member of a VE.Smart network sent."""
        self.roster.update_network(reading)
        if self.on_registers:
            self.on_registers(reading)

    def now(self) -> float:
        """Return the present by the time of the frames: in a capture that of its last frame, else its clock."""
        if isinstance(self.source, ClockedSource):
            return self.source.now()
        return time.time() if self.scanner else self._latest

    def presence_time(self) -> float:
        """Return the present as the roster counts it, in seconds of a clock that nobody sets."""
        if isinstance(self.source, ClockedSource):
            return self.source.now()
        return self.roster.timeline.now if (now := self._monotonic()) is None else now

    def _monotonic(self) -> float | None:
        """Return the computer's steady clock if a radio is heard now; None if frames bring a time of their own."""
        return self._steady_clock() if self.scanner and not isinstance(self.source, ClockedSource) else None

    @property
    def scanner(self) -> RadioSource | None:
        """The source if it listens to a radio; None for a file."""
        return self.source if isinstance(self.source, RadioSource) else None


def nothing_heard(source: SourceReader) -> BluewattError:
    """Return the error for a source that heard nothing: a sentence that says what to check."""
    if source.scanner is None:
        path = str(getattr(source.source, "path", "the source"))
        return CaptureError(f"{path}: no advertisement of a Victron device in it", path=path)
    if strangers := source.scanner.counters.strangers:
        return DeviceNotFound(
            f"no Victron device heard, though {strangers} advertisements of others: go nearer, and close the app where"
            " it is connected to the device (a connected device does not advertise)"
        )
    return DeviceNotFound(
        "nothing heard at all: check that the Bluetooth adapter is on and has its antenna (bluetoothctl show), that no"
        " other program keeps it busy, and that a device is within some ten metres"
    )


def completed_keys(receiver: Receiver) -> Iterator[str]:
    """Yield a sentence for each such key that is right; the digit is on air, so no secret is given away."""
    for address, key in receiver.keys.completed.items():
        if receiver.key_state(address) is KeyState.RIGHT:
            yield (
                f"the key given for {address} has 31 digits: the first, which the app hid, is {key[0] >> 4:x};"
                " write it in front"
            )
