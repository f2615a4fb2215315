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
"""Most characters of a line: a value of 512 bytes takes 2,560 at most, as Python writes it; JSON may be denser."""


class TextForm(Protocol):
    """A format of one tool, or of several that write alike."""

    name: str
    """The names of the tools, for people."""

    @property
    def waiting(self) -> bool:
        """Whether something was begun that the next line may continue: then this format is tried first."""

    def read(self, line: str, log: HostLog) -> bool:
        """Take a line without its end and colours. Return whether it has this form."""

    def finish(self, log: HostLog) -> None:
        """End the lines of this form, at least for now: what was begun is complete."""


FORMS: tuple[Callable[[], TextForm], ...] = (
    NordicLog, BluetoothctlLog, GatttoolLog, PacketText, TsharkJson, TsharkFields, ProgramLog,
)  # fmt: skip
"""The formats, the most recognisable first: each line belongs to the first that takes it."""


class TextLog:
    """The reader of a text, line by line; packets and problems are taken out of `log`."""

    def __init__(self) -> None:
        self.log = HostLog()
        self.times = Times()
        self.offset: int | None = 0
        """The offset of the next line in the text; None if it is unknown, because lines were skipped."""
        self._forms = tuple(form() for form in FORMS)
        self._last: TextForm | None = None

    def begin(self, line: str) -> str:
        """Note time and offset of a line. Return the line as it is read."""
        plain = plain_line(line)
        self.log.mark = self.times.read(plain), self.offset or 0
        if self.offset is not None:
            self.offset += len(line.encode("utf-8", "replace")) + 1
        return plain

    def read(self, plain: str) -> bool:
        """Take a line that was begun. Return whether it belongs to a form."""
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
        """Read a line so long that only packed JSON has it."""
        packed = next(form for form in self._forms if isinstance(form, TsharkJson))
        return packed.read(plain, self.log)

    def finish(self) -> None:
        """End the text."""
        for form in self._forms:
            form.finish(self.log)

    def take(self) -> list[Packet]:
        """Return the packets found since the last call."""
        packets, self.log.packets = self.log.packets, []
        return packets
