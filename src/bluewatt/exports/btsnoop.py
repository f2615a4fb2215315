"""Advertisements written as a capture file (btsnoop)."""

from __future__ import annotations

from collections.abc import Callable

from bluewatt.model.reading import Frame
from bluewatt.model.recent import Recent
from bluewatt.safe_write import Writable
from bluewatt.wire.containers.btsnoop_writer import FILE_START, advertisement_records


class AirRecorder:
    """Writes frames as advertising reports, and the name of a device whenever it is new."""

    def __init__(self, write: Callable[[bytes], object]) -> None:
        self.count = 0
        self._write = write
        self._names: Recent[str] = Recent()

    def put(self, frame: Frame) -> None:
        """Write a frame."""
        name = frame.name if self._names.get(frame.address) != frame.name else None
        if name is not None:
            self._names.remember(frame.address, name)
            self._write(advertisement_records(frame.at, frame.address, None, name, frame.rssi))
        self._write(advertisement_records(frame.at, frame.address, frame.payload, None, frame.rssi))
        self.count += 1


class Snoop:
    """Writes records to a btsnoop file, its header before the first one; each record reaches the disk at once."""

    def __init__(self, file: Writable) -> None:
        self._file = file
        self._head = FILE_START

    def write(self, record: bytes) -> None:
        """Write one record or several."""
        self._file.write(self._head + record)
        self._head = b""
