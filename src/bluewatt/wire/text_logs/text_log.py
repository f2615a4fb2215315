"""Connections in the text that people save: logs of apps and tools, and what they printed on a screen.

One module per family of forms, one class per form, all listed in `FORMS`: a further form is a class with `read`, which
takes a line and says whether it is its own, and `finish`, which ends what was open, and a row there. A form writes what
it finds into the `HostLog`, from which packets come out: what follows reads them as it reads a capture's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from bluewatt.wire.bluetooth.packets import Packet
from bluewatt.wire.text_logs.bluetoothctl import BluetoothctlLog
from bluewatt.wire.text_logs.gatttool import GatttoolLog
from bluewatt.wire.text_logs.host_log import HostLog
from bluewatt.wire.text_logs.nordic import NordicLog
from bluewatt.wire.text_logs.packet_texts import PacketText
from bluewatt.wire.text_logs.programs import ProgramLog
from bluewatt.wire.text_logs.times import Times
from bluewatt.wire.text_logs.tshark import TsharkFields, TsharkJson
from bluewatt.wire.text_logs.words import plain_line

LONGEST_LINE = 8192
"""Characters of a line: a value of 512 bytes takes 2,560 at most, as Python writes it; JSON may be packed further."""


class TextForm(Protocol):
    """What is written by one tool, or by several that write alike."""

    name: str
    """The tools, for people."""

    @property
    def waiting(self) -> bool:
        """Whether something was begun that the next line may go on with: then this form is asked first."""

    def read(self, line: str, log: HostLog) -> bool:
        """Take a line without its end and colours; whether it is of this form."""

    def finish(self, log: HostLog) -> None:
        """The lines of this form end here, at least for now: what was begun is whole."""


FORMS: tuple[Callable[[], TextForm], ...] = (
    NordicLog, BluetoothctlLog, GatttoolLog, PacketText, TsharkJson, TsharkFields, ProgramLog,
)  # fmt: skip
"""The forms read, those known by the plainest marks first: each line is its first taker's."""


class TextLog:
    """Reads a text line by line; packets and problems are taken out of `log`."""

    def __init__(self) -> None:
        self.log = HostLog()
        self.times = Times()
        self.offset: int | None = 0
        """Where in the text the next line begins; None where lines were passed over, so that nobody knows."""
        self._forms = tuple(form() for form in FORMS)
        self._last: TextForm | None = None

    def begin(self, line: str) -> str:
        """Note when and where a line was written; the line as it is read."""
        plain = plain_line(line)
        self.log.mark = self.times.read(plain), self.offset or 0
        if self.offset is not None:
            self.offset += len(line.encode("utf-8", "replace")) + 1
        return plain

    def read(self, plain: str) -> bool:
        """Take a line that was begun; whether it belongs to a form."""
        last, self._last = self._last, None
        if len(plain) > LONGEST_LINE:
            return self._read_long(plain)
        if last is not None:
            if last.read(plain, self.log):
                self._last = last if last.waiting else None
                return True
            last.finish(self.log)
        for form in self._forms:
            if form is not last and form.read(plain, self.log):
                self._last = form if form.waiting else None
                return True
        return False

    def _read_long(self, plain: str) -> bool:
        """A line that only packed JSON has."""
        packed = next(form for form in self._forms if isinstance(form, TsharkJson))
        return packed.read(plain, self.log)

    def finish(self) -> None:
        """The text ended."""
        for form in self._forms:
            form.finish(self.log)

    def take(self) -> list[Packet]:
        """The packets found since the last time."""
        packets, self.log.packets = self.log.packets, []
        return packets
