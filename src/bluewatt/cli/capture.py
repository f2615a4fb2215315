"""`bluewatt capture`: record advertisements, or a connection of ours, into btsnoop that Wireshark opens."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

import click

from bluewatt.app.sources import files_of, make_source
from bluewatt.cli.option_rules import RuledCommand, excludes, needs
from bluewatt.cli.options import POSITIVE, SECRET, force_option
from bluewatt.cli.outputs import open_output
from bluewatt.errors import CaptureError, DeviceNotFound
from bluewatt.exports.btsnoop import AirRecorder
from bluewatt.model.display import counted
from bluewatt.model.ports import Source
from bluewatt.safe_write import Writable
from bluewatt.wire.containers.btsnoop_writer import FILE_START

if TYPE_CHECKING:
    from bluewatt.transports.ble.central import Central
    from bluewatt.transports.ble.link import BleLink

WITHOUT_END = 10.0
"""Seconds of listening where none are named and nobody can press Ctrl-C."""


RULES = (
    excludes("--link", "--source"),
    needs("--pin", "--radio", any_of=("--link",)),
)


@click.command("capture", cls=RuledCommand, rules=RULES)
@click.argument("output", type=click.Path(dir_okay=False))
@click.option("--source", default="ble:", show_default=True, help="Where to listen: ble:, ble:hci1, virtual:.")
@click.option("--seconds", type=POSITIVE, metavar="N", help="End after so many seconds.")
@click.option(
    "--link", "device", metavar="DEVICE",
    help="Connect to this device (address or part of its name), read it, and record that connection instead.",
)  # fmt: skip
@click.option("--pin", type=SECRET, metavar="DIGITS", help="The PIN of the device, for --link.")
@click.option("--radio", metavar="RADIO", help="The radio for --link: ble: or virtual:. [default: ble:]")
@force_option
def command(
    output: str,
    source: str,
    seconds: float | None,
    device: str | None,
    pin: str | None,
    radio: str | None,
    force: bool,
) -> None:
    """Record what is on air, or a connection, into OUTPUT: a btsnoop file.

    Advertisements are stored as they were heard, still encrypted; a recorded connection holds the device's key in
    clear: only you may read its file, and `bluewatt decode OUTPUT --redact COPY` makes a copy to share.
    """
    from bluewatt.cli.live import limit_of, quiet_libraries

    quiet_libraries()
    limit = limit_of(seconds)
    opened = make_source(source) if device is None else None
    read = files_of(opened) if opened is not None else ()
    with open_output(output, *read, force=force, private=device is not None, live=True) as file:
        write = Snoop(file).write
        if opened is not None:
            count = _record_air(write, opened, limit)
        else:
            count = _record_link(write, device, pin, radio or "ble:", seconds or WITHOUT_END)
    if device is not None:
        packets = counted(count, "packet")
        click.echo(f"bluewatt: {packets} of a connection in {output}; it may hold the device's key", err=True)
    elif count:
        click.echo(f"bluewatt: {counted(count, 'advertisement')} in {output}", err=True)
    else:
        raise DeviceNotFound("no Victron device was heard: go nearer, or let it run longer with --seconds")


class Snoop:
    """Writes records to a btsnoop file, whose header goes before the first one; each stands on the disk at once."""

    def __init__(self, file: Writable) -> None:
        self._file = file
        self._head = FILE_START

    def write(self, record: bytes) -> None:
        """One or more records."""
        self._file.write(self._head + record)
        self._head = b""


def _record_air(write: Callable[[bytes], object], source: Source, seconds: float | None) -> int:
    from bluewatt.cli.live import run

    recorder = AirRecorder(write)
    run(_listen(source, recorder, seconds))
    return recorder.count


async def _listen(source: Source, recorder: AirRecorder, seconds: float | None) -> None:
    with suppress(TimeoutError):
        async with source, asyncio.timeout(seconds):
            async for frame in source:
                recorder.put(frame)


def _record_link(
    write: Callable[[bytes], object], device: str | None, pin: str | None, radio: str, seconds: float
) -> int:
    """Record a connection until it ends, `seconds` are over, or Ctrl-C or SIGTERM; returns the count of packets."""
    from bluewatt.cli.linked import Target, with_link
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
    """Counts and writes packets; a disk that fills up ends the recording.

    Packets come from callbacks of the Bluetooth library, where an error would be lost: it is kept and raised later.
    """

    def __init__(self, write: Callable[[bytes], object]) -> None:
        self.count = 0
        self._write = write
        self._failure: CaptureError | None = None
        self._limit: asyncio.Timeout | None = None

    def put(self, record: bytes) -> None:
        """One more packet."""
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
        """Let the block run until its limit is over; raises CaptureError where a packet could not be written."""
        with suppress(TimeoutError):
            async with asyncio.timeout(0 if self._failure else None) as self._limit:
                yield self._limit
        self._limit = None
        if self._failure is not None:
            raise self._failure
