"""Records advertisements, or a connection of ours, into a capture."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from bluewatt.app.lifetime import run_until_stopped
from bluewatt.errors import CaptureError
from bluewatt.exports.btsnoop import AirRecorder
from bluewatt.model.ports import Source
from bluewatt.time_limit import time_limit

if TYPE_CHECKING:
    from bluewatt.transports.ble.central import Central
    from bluewatt.transports.ble.link import BleLink


def record_air(write: Callable[[bytes], object], source: Source, seconds: float | None) -> int:
    """Record what a source hears until it ends, `seconds` are over or a signal comes; return the advertisements."""
    recorder = AirRecorder(write)
    run_until_stopped(_listen(source, recorder, seconds))
    return recorder.count


async def _listen(source: Source, recorder: AirRecorder, seconds: float | None) -> None:
    async with source, time_limit(seconds):
        async for frame in source:
            recorder.put(frame)


def record_link(
    write: Callable[[bytes], object], device: str | None, pin: str | None, radio: str, seconds: float
) -> int:
    """Record a connection until it ends, `seconds` are over, or a signal comes; return the packets."""
    from bluewatt.app.links import Target, with_link
    from bluewatt.services.pins import find_pin
    from bluewatt.services.readout import read_group
    from bluewatt.transports.ble.traffic_recorder import recording_client
    from bluewatt.wire.containers.link_trace import LinkTrace

    recorder = LinkRecorder(write)

    async def work(link: BleLink, central: Central) -> None:
        async with recorder.limited() as limit:
            await read_group(link, "facts", "live")
            limit.reschedule(asyncio.get_running_loop().time() + seconds)
            async for _ in link.subscribe():
                pass

    target = Target(device, radio, find_pin(device, pin))
    try:
        with_link(target, work, client_class=recording_client(LinkTrace(recorder.put, time.time)))
    except KeyboardInterrupt:
        if not recorder.count:
            raise
    return recorder.count


class LinkRecorder:
    """A writer that counts packets; a disk that fills up ends the recording.

    Packets come from callbacks of the Bluetooth library, where an error would be lost: it is kept and raised later.
    """

    def __init__(self, write: Callable[[bytes], object]) -> None:
        self.count = 0
        self._write = write
        self._failure: CaptureError | None = None
        self._limit: asyncio.Timeout | None = None

    def put(self, record: bytes) -> None:
        """Write a packet and count it."""
        if self._failure is not None:
            return
        try:
            self._write(record)
            self.count += 1
        except CaptureError as error:
            self._failure = error
            if self._limit is not None:
                self._limit.reschedule(asyncio.get_running_loop().time())

    @asynccontextmanager
    async def limited(self) -> AsyncIterator[asyncio.Timeout]:
        """Let the block run until its limit is over; raise CaptureError if a packet could not be written."""
        async with time_limit(0 if self._failure else None) as self._limit:
            yield self._limit
        self._limit = None
        if self._failure is not None:
            raise self._failure
