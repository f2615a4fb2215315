"""The table of `bluewatt decode FILE`: the conversations line by line, then the devices, then unknown registers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from bluewatt.exports.decoded_input import DecodedInput, flush
from bluewatt.exports.terminal.names import NO_NAMES, with_given_name
from bluewatt.model.dialogue.conversation import Line
from bluewatt.model.dialogue.sentences import sentence, value_words, values_of
from bluewatt.model.dialogue.transcript import DecodedPacket
from bluewatt.model.json_objects import utc_text
from bluewatt.model.reading import Reading, Undecoded
from bluewatt.model.register_values import RegisterReading
from bluewatt.model.roster import Roster
from bluewatt.safe_write import Writable
from bluewatt.wire.victronconnect.events import Role

_ARROWS = {Role.CLIENT: "->", Role.DEVICE: "<-", None: "  "}
_LONGEST_SENTENCE = 160


def to_table(inputs: Iterable[DecodedInput], out: Writable, *, names: Mapping[str, str] = NO_NAMES) -> None:
    """Write all inputs as one table for people; `names` are names the user gave devices, by address."""
    from bluewatt.exports.terminal.devices import plain_table

    roster, unknown, lines = Roster(), Unknowns(), list[bytes]()
    conversations = _Conversations(names)
    try:
        for one in inputs:
            conversations.begin(one)
            for packet in one.packets:
                _add(packet, roster, unknown, conversations, lines)
                if len(lines) >= one.block:
                    flush(lines, out)
    finally:
        flush(lines, out)
        if roster.entries:
            table = plain_table(roster, roster.timeline.now, counts=True, names=names)
            out.write((("\n" if conversations.begun else "") + table).encode())
        for text in unknown.lines():
            out.write(f"{text}\n".encode())
        out.flush()


def _add(
    packet: DecodedPacket, roster: Roster, unknown: Unknowns, conversations: _Conversations, lines: list[bytes]
) -> None:
    frame, entries = packet
    if frame is not None:
        roster.heard(frame)
    for entry in entries:
        if isinstance(entry, Line):
            unknown.note(entry)
            lines += conversations.lines(entry)
        elif isinstance(entry, Reading | Undecoded):
            roster.update(entry)
        else:
            lines += conversations.network(entry)


class _Conversations:
    """The lines of the conversations: a head per connection, then number, time (UTC), direction and sentence."""

    def __init__(self, names: Mapping[str, str]) -> None:
        self._names = names
        self._reveal = False
        self._link: int | None = None
        self.begun = False

    def begin(self, source: DecodedInput) -> None:
        """Go on with the next input."""
        self._reveal, self._link = source.reveal, None

    def lines(self, line: Line) -> Iterator[bytes]:
        if line.link != self._link:
            device = with_given_name(line.device, self._names)
            name = f" · {device.name}" if device.name else ""
            gap = "\n" if self.begun else ""
            yield f"{gap}Connection {line.link} · {device.address}{name} · {utc_text(line.at)}".encode()
            self._link, self.begun = line.link, True
        text = sentence(line, reveal=self._reveal)
        if len(text) > _LONGEST_SENTENCE:
            text = text[: _LONGEST_SENTENCE - 1] + "…"
        yield f"{line.number:6}  {_utc_clock(line.at)}  {_ARROWS[line.direction]}  {text}".encode()

    def network(self, reading: RegisterReading) -> Iterator[bytes]:
        self._link, self.begun = None, True
        values = ", ".join(f"{value.key} = {value_words(value)}" for value in reading.values)
        yield f"        {_utc_clock(reading.at)}  ((  {reading.device.id}: {values}".encode()


def _utc_clock(at: float) -> str:
    """Return the time of day, which ends with Z because it is UTC."""
    return utc_text(at)[11:]


class Unknowns:
    """The registers of a capture that nobody has described."""

    def __init__(self) -> None:
        self._seen: dict[int, Counter[bytes]] = {}

    def note(self, line: Line) -> None:
        """Count the values of unknown registers in a line."""
        for value in values_of(line):
            if value.row is None:
                counts = self._seen.setdefault(value.register, Counter())
                if len(counts) < 64:
                    counts[value.raw] += 1

    def lines(self) -> Iterator[str]:
        """Yield a line for each of them under a heading; nothing if there are none."""
        if self._seen:
            yield ""
            yield "Registers nobody has described yet:"
        for register, counts in sorted(self._seen.items()):
            most = ", ".join(f"{raw.hex() or '-'} x{count}" for raw, count in counts.most_common(4))
            yield f"  0x{register:04X}  {most}{', …' if len(counts) > 4 else ''}"
