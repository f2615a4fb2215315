"""Text pasted on the command line that is no plain advertisement: messages, chunks of them, lines of logs."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from functools import partial

from bluewatt.app.decoding.contents import DecodeKeys
from bluewatt.app.decoding.pasted import PASTED, DecodedText, PastedOpener, decoded_advertisement
from bluewatt.app.decoding.text_contents import NetworkOpener, TextItem, TextReader
from bluewatt.errors import Malformed, WireError
from bluewatt.model.dialogue.conversation import DAMAGED, LINK, Line
from bluewatt.model.dialogue.json_objects import LineWriter
from bluewatt.model.dialogue.sentences import sentence, value_words, values_of
from bluewatt.model.dialogue.transcript import Transcript, TranscriptItem
from bluewatt.model.display import counted
from bluewatt.model.json_objects import json_line
from bluewatt.model.pasted_text import Pasted
from bluewatt.model.reading import Frame, Undecoded
from bluewatt.model.register_values import RegisterReading, RegisterValue
from bluewatt.wire.instant_readout.advertisement import is_vesmart
from bluewatt.wire.vesmart.broadcast import parse_broadcast
from bluewatt.wire.victronconnect.reassembly import ProtocolError

_WRITES = frozenset({"set_values", "write", "write_without_response"})


def read_texts(texts: Sequence[str], secrets: DecodeKeys, characteristic: str) -> tuple[list[DecodedText], list[str]]:
    """Return all that the texts hold, in their order, and sentences about what had to be guessed.

    Raises Malformed for a text with nothing in it.
    """
    decoder = _PastedDecoder(secrets, characteristic)
    for text in texts:
        before = decoder.reader.taken
        for item in decoder.reader.feed(text.splitlines()):
            decoder.take(item)
        if decoder.reader.taken == before:
            raise Malformed(
                f"no advertisement and no message in {text[:40]!r}: give hex bytes that begin with 10 or E1 02, "
                "a message in hex digits, or lines of a log"
            )
    return decoder.end()


class _PastedDecoder:
    """Decodes all texts of one command, in their order."""

    def __init__(self, secrets: DecodeKeys, characteristic: str) -> None:
        self.reader = TextReader(characteristic, now=time.time())
        self._transcript: Transcript = secrets.transcript(PASTED)
        self._opener = PastedOpener(secrets.keys, self._transcript.keys)
        self._networks = NetworkOpener(self._transcript.receiver)
        self._writer = LineWriter(PASTED, reveal=secrets.reveal)
        self._reveal = secrets.reveal
        self._found: list[DecodedText] = []

    def take(self, item: TextItem) -> None:
        """Decode an item and keep what it holds."""
        if item.packets:
            for _, entries in self._transcript.feed(list(item.packets)):
                self._found += map(self._entry, entries)
        else:
            pasted = item.advertisement or Pasted(item.unread, None)
            frame = self._opener.frame(pasted, item.at)
            if item.advertisement and is_vesmart(pasted.payload):
                self._found += [self._broadcast(frame, entry) for entry in self._networks.entries(frame)]
            else:
                self._found.append(decoded_advertisement(self._opener.open(frame)))

    def end(self) -> tuple[list[DecodedText], list[str]]:
        """Return all that was decoded, with the sentences about it, once the texts have ended.

        Raises Malformed if nothing was.
        """
        for item in self.reader.finish():
            self.take(item)
        self._found += map(self._entry, self._transcript.finish())
        damage = [f"{problem}: not read" for problem in self.reader.problems]
        if not self._found:
            raise Malformed(damage[0] if damage else "no value in it")
        return self._found, [*damage, *self.reader.notes()]

    def _entry(self, entry: TranscriptItem) -> DecodedText:
        if isinstance(entry, Line):
            damaged = isinstance(entry.content, ProtocolError)
            reason = entry.message if damaged or entry.kind in (DAMAGED, LINK) else ""
            detail = entry.content.reason if isinstance(entry.content, ProtocolError) else "nothing but the connection"
            words = partial(line_words, entry, reveal=self._reveal)
            return DecodedText(words, lambda: (self._writer.line(entry),), reason, detail, explains_why=True)
        if isinstance(entry, RegisterReading):
            return DecodedText(lambda: _shared(entry), lambda: self._writer.registers(entry))
        missed = entry if isinstance(entry, Undecoded) else None
        return DecodedText(
            lambda: iter(()),
            lambda: (json_line(entry),),
            missed.reason if missed else "",
            missed.detail if missed else "",
        )

    def _broadcast(self, frame: Frame, entry: TranscriptItem) -> DecodedText:
        """Return a broadcast of a VE.Smart network: what anybody can read of it, then what its key opened."""
        inner = self._entry(entry)
        return DecodedText(lambda: _broadcast_words(frame.payload, inner), inner.json, inner.reason, inner.detail)


def line_words(line: Line, *, reveal: bool = False) -> Iterator[str]:
    """Yield a line of a conversation that stands alone, in words: each value with its register and its sender."""
    who = f" from the {line.direction.value}" if line.direction else ""
    values = values_of(line)
    if not values or line.kind == DAMAGED:
        yield sentence(line, reveal=reveal) + (f",{who}" if who and line.kind != LINK else "")
        return
    verb = "written by" if line.message in _WRITES else "value from"
    for value in values:
        yield f"{_named(value, reveal=reveal)}, {verb} the {line.direction.value if line.direction else 'device'}"


def _named(value: RegisterValue, *, reveal: bool = False) -> str:
    name = value.key.replace("_", " ")
    where = f"register 0x{value.register:04X}" + ("" if value.instance is None else f", instance {value.instance}")
    return f"{name} {value_words(value, reveal=reveal)} ({where})"


def _shared(reading: RegisterReading) -> Iterator[str]:
    for value in reading.values:
        yield f"{_named(value)}, broadcast by {reading.device.id}"


def _broadcast_words(payload: bytes, inner: DecodedText) -> Iterator[str]:
    try:
        broadcast = parse_broadcast(payload)
    except WireError as error:
        yield f"{counted(len(payload), 'byte')} of a VE.Smart broadcast: {error}"
        return
    kind = "counter" if broadcast.overflow is not None else "data"
    yield f"VE.Smart networking broadcast, {kind} record, from {broadcast.sender}"
    counter = "" if broadcast.overflow is None else f", counter {broadcast.overflow}"
    yield f"network {broadcast.group:02x}.., sequence 0x{broadcast.sequence:08X}{counter}, tag {broadcast.tag.hex()}"
    yield from inner.explanation()
