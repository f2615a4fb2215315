"""Advertisements, connections and messages in text: in logs of other tools, or pasted on the command line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import msgspec

from bluewatt.app.decoding.pasted import PastedOpener
from bluewatt.errors import CaptureError
from bluewatt.model.dialogue.transcript import DecodedPacket, Transcript, TranscriptItem
from bluewatt.model.pasted_text import Pasted, PastedFinder, hex_digits
from bluewatt.model.reading import Frame, Undecoded
from bluewatt.model.vesmart import VeSmartReceiver
from bluewatt.wire.bluetooth.packets import Packet
from bluewatt.wire.instant_readout.advertisement import is_vesmart
from bluewatt.wire.text_logs.bare import BareMessages
from bluewatt.wire.text_logs.text_log import TextLog
from bluewatt.wire.text_logs.times import NO_ZONE

_SHORTEST_CHUNK = 3
"""Bytes that a line of a file must hold at least to be taken for a message: its first lines could be anything."""
_SHORTEST_BROADCAST = 15
"""Bytes of header, one byte of content and tag."""


class TextItem(NamedTuple):
    """What a line of text holds: an advertisement, packets of connections, or bytes that cannot be read."""

    at: float | None
    """POSIX seconds; None if the text does not say the day."""
    advertisement: Pasted | None = None
    packets: tuple[Packet, ...] = ()
    unread: bytes = b""


class TextReader:
    """Reads text line by line: as a log of a connection if it has such a form, else for advertisements and messages.

    A line that names a characteristic or handle is never searched for an advertisement: a chunk can begin like one.
    """

    def __init__(self, characteristic: str = "", *, now: float | None = None) -> None:
        self.text = TextLog()
        self._pasted = now is not None
        if now is not None:  # what is pasted is shown as heard now
            self.text.times.at, self.text.times.guess = now, ""
        self._finder = PastedFinder()
        self._characteristic = characteristic
        self._bare = BareMessages(characteristic)
        self.packets = 0
        """Packets of connections found so far."""
        self.taken = 0
        """Lines that were understood, even if their content is damaged."""

    @property
    def problems(self) -> list[CaptureError]:
        """Lines that should hold bytes and do not; the caller empties the list."""
        return self.text.log.problems

    def notes(self) -> Iterator[str]:
        """Yield a sentence about what the text does not say and was guessed; nothing if it says all."""
        log = self.text.log
        time = self.text.times.guess if log.time_guess is None else log.time_guess
        guessed = [*log.guesses, *([time] if self.packets and time else ())]
        if guessed:
            yield f"guessed, as the text does not say it: {'; '.join(guessed)}"

    @property
    def _at(self) -> float | None:
        return self.text.log.mark[0] if self.text.times.guess in ("", NO_ZONE) else None

    def feed(self, lines: Iterable[str]) -> Iterator[TextItem]:
        """Yield what the lines hold, in their order."""
        for line in lines:
            yield from self._line(line)

    def finish(self) -> Iterator[TextItem]:
        """Yield what was still incomplete when the text ended."""
        self._bare.finish(self.text.log)
        self.text.finish()
        yield from self._advertisements(self._finder.finish())
        yield from self._packets()

    def _line(self, line: str) -> Iterator[TextItem]:
        plain = self.text.begin(line)
        if self.text.read(plain):
            self.taken += 1
            self._bare.finish(self.text.log)
            yield from self._advertisements(self._finder.finish())
        else:
            data = _bare_bytes(plain)
            if data is not None and (self._characteristic or self._bare.goes_on(data)):
                self._bare.read(data, self.text.log)
                self.taken += 1
            else:
                yield from self._unknown_form(plain, data)
        yield from self._packets()

    def _unknown_form(self, plain: str, data: bytes | None) -> Iterator[TextItem]:
        """Yield what a line holds that belongs to no form of log."""
        found = self._finder.feed(plain)
        yield from self._advertisements(found)
        if data is not None and not (self._pasted or self.packets or len(data) >= _SHORTEST_CHUNK):
            data = None  # a small number on a line of its own, in some text
        self.taken += bool(found) or data is not None
        if found or data is None:
            return
        if not self._bare.read(data, self.text.log):
            yield TextItem(self._at, unread=data)

    def _advertisements(self, found: Iterable[Pasted]) -> Iterator[TextItem]:
        for pasted in found:
            yield TextItem(self._at, advertisement=pasted)

    def _packets(self) -> Iterator[TextItem]:
        packets = self.text.take()
        self.packets += len(packets)
        if packets:
            yield TextItem(self._at, packets=tuple(packets))


def _bare_bytes(line: str) -> bytes | None:
    """Return the bytes of a line of hex digits and separators; None for any other, or for an odd number of digits."""
    digits = hex_digits(line)
    return bytes.fromhex(digits) if digits and len(digits) % 2 == 0 else None


class NetworkOpener:
    """Opens VE.Smart broadcasts found in text, where bytes of an older, longer one may follow the tag."""

    def __init__(self, networks: VeSmartReceiver) -> None:
        self._networks = networks

    def entries(self, frame: Frame) -> Sequence[TranscriptItem]:
        """Return what a broadcast holds, read up to where its tag fits."""
        first = self._networks.feed(frame)
        if not any(isinstance(entry, Undecoded) for entry in first):
            return first
        for end in range(len(frame.payload) - 1, _SHORTEST_BROADCAST - 1, -1):
            shorter = msgspec.structs.replace(frame, payload=frame.payload[:end])
            entries = self._networks.feed(shorter)
            if entries and not any(isinstance(entry, Undecoded) for entry in entries):
                return entries
        return first


def text_steps(
    reader: TextReader, lines: Iterable[str], transcript: Transcript, opener: PastedOpener
) -> Iterator[DecodedPacket]:
    """Yield everything in a text, in its order; bytes that cannot be read are left out."""
    networks = NetworkOpener(transcript.receiver)
    for item in items(reader, lines):
        if item.advertisement is not None:
            frame = opener.frame(item.advertisement, item.at)
            known = networks.entries(frame) if is_vesmart(frame.payload) else (opener.open(frame).outcome,)
            transcript.introduce(frame.address, frame.payload)
            yield frame, known
        elif item.packets:
            yield from transcript.feed(list(item.packets))
    if left := transcript.finish():
        yield None, left


def packets_of_text(lines: Iterable[str]) -> Iterator[list[Packet]]:
    """Yield the packets that a text describes, and its advertisements as packets."""
    reader = TextReader()
    for item in items(reader, lines):
        if item.advertisement is not None:
            reader.text.log.add_advertisement(item.advertisement.address or "", item.advertisement.payload)
            yield reader.text.take()
        elif item.packets:
            yield list(item.packets)


def items(reader: TextReader, lines: Iterable[str]) -> Iterator[TextItem]:
    """Yield what a whole text holds, in its order."""
    yield from reader.feed(lines)
    yield from reader.finish()
