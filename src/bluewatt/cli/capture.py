"""`bluewatt capture`: record advertisements, or a connection of ours, into btsnoop that Wireshark opens."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click

from bluewatt.app import make_source
from bluewatt.cli.options import POSITIVE
from bluewatt.cli.tally import counted
from bluewatt.errors import CaptureError, DeviceNotFound
from bluewatt.model.reading import Frame
from bluewatt.model.recent import Recent
from bluewatt.wire.containers.btsnoop_writer import FILE_START, advertisement_records

if TYPE_CHECKING:
    from bluewatt.transports.ble_central import Central
    from bluewatt.transports.ble_link import BleLink

WITHOUT_END = 10.0
"""Seconds of listening where none are named and nobody can press Ctrl-C."""


@click.command("capture")
@click.argument("output", type=click.Path(dir_okay=False))
@click.option("--source", default="ble:", show_default=True, help="Where to listen: ble:, ble:hci1, virtual:.")
@click.option("--seconds", type=POSITIVE, metavar="N", help="End after so many seconds.")
@click.option(
    "--link", "device", metavar="DEVICE",
    help="Connect to this device (address or part of its name), read it, and record that connection instead.",
)  # fmt: skip
@click.option("--pin", metavar="DIGITS", help="The PIN of the device, for --link.")
@click.option("--radio", metavar="RADIO", help="The radio for --link: ble: or virtual:. [default: ble:]")
def command(
    output: str, source: str, seconds: float | None, device: str | None, pin: str | None, radio: str | None
) -> None:
    """Record what is on air, or a connection, into OUTPUT: a btsnoop file.

    Advertisements are stored as they were heard, still encrypted; a recorded connection holds the device's key in
    clear: `bluewatt decode OUTPUT --redact COPY` before you share it.
    """
    from bluewatt.cli.live import limit_of, quiet_libraries

    quiet_libraries()
    limit = limit_of(seconds)
    with _file(output) as file:
        if device is not None:
            count = _record_link(file, device, pin, radio or "ble:", seconds or WITHOUT_END)
            packets = counted(count, "packet")
            click.echo(f"bluewatt: {packets} of a connection in {output}; it may hold the device's key", err=True)
            return
        count = _record_air(file, source, limit)
    if not count:
        raise DeviceNotFound("no Victron device was heard: go nearer, or let it run longer with --seconds")
    click.echo(f"bluewatt: {counted(count, 'advertisement')} in {output}", err=True)


@contextmanager
def _file(path: str) -> Iterator[BinaryIO]:
    """The file, with its header; each record is written at once, so that a power cut loses none but the last."""
    try:
        with Path(path).open("wb", buffering=0) as file:
            file.write(FILE_START)
            yield file
    except OSError as error:
        raise CaptureError(f"cannot write {path}: {error.strerror}", path=path) from error


def _record_air(file: BinaryIO, spec: str, seconds: float | None) -> int:
    from bluewatt.cli.live import run

    recorder = AirRecorder(file.write)
    run(_listen(spec, recorder, seconds))
    return recorder.count


class AirRecorder:
    """Writes frames as advertising reports; a name is written when it is new."""

    def __init__(self, write: Callable[[bytes], object]) -> None:
        self.count = 0
        self._write = write
        self._names: Recent[str] = Recent()

    def put(self, frame: Frame) -> None:
        """One more frame."""
        name = frame.name if self._names.get(frame.address) != frame.name else None
        if name is not None:
            self._names.remember(frame.address, name)
            self._write(advertisement_records(frame.at, frame.address, None, name, frame.rssi))
        self._write(advertisement_records(frame.at, frame.address, frame.payload, None, frame.rssi))
        self.count += 1


async def _listen(spec: str, recorder: AirRecorder, seconds: float | None) -> None:
    source = make_source(spec)
    with suppress(TimeoutError):
        async with source, asyncio.timeout(seconds):
            async for frame in source:
                recorder.put(frame)


def _record_link(file: BinaryIO, device: str, pin: str | None, radio: str, seconds: float) -> int:
    from bluewatt.cli.linked import Target, find_pin, with_link
    from bluewatt.services.readout import read_group
    from bluewatt.transports.ble_record import recording_client
    from bluewatt.wire.containers.link_trace import LinkTrace

    count = 0

    def write(record: bytes) -> None:
        nonlocal count
        count += 1
        file.write(record)

    async def work(link: BleLink, central: Central) -> None:
        await read_group(link, "facts", "live")
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                async for _ in link.subscribe():
                    pass

    target = Target(device, radio, find_pin(device, pin))
    with_link(target, work, client_class=recording_client(LinkTrace(write, time.time)))
    return count
