"""How `bluewatt decode FILE` writes what it found: devices and conversations for people, JSON Lines, CSV."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from bluewatt.exports.decoded_input import DecodedInput, flush
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
_MOST_SENTENCE = 160


def to_table(inlets: Iterable[DecodedInput], out: Writable) -> None:
    """The conversations line by line, then the devices heard, then the registers nobody knows."""
    from bluewatt.exports.terminal.devices import plain_table

    roster, unknown, waiting = Roster(), Unknowns(), list[bytes]()
    talk = _Talk()
    try:
        for inlet in inlets:
            talk.begin(inlet)
            for step in inlet.steps:
                _table_step(step, roster, unknown, talk, waiting)
                if len(waiting) >= inlet.block:
                    flush(waiting, out)
    finally:
        flush(waiting, out)
        if roster.entries:
            out.write((("\n" if talk.started else "") + plain_table(roster, roster.timeline.now, counts=True)).encode())
        for text in unknown.lines():
            out.write(f"{text}\n".encode())
        out.flush()


def _table_step(step: DecodedPacket, roster: Roster, unknown: Unknowns, talk: _Talk, waiting: list[bytes]) -> None:
    frame, entries = step
    if frame is not None:
        roster.heard(frame)
    for entry in entries:
        if isinstance(entry, Line):
            unknown.note(entry)
            waiting += talk.lines(entry)
        elif isinstance(entry, Reading | Undecoded):
            roster.update(entry)
        else:
            waiting += talk.network(entry)


class _Talk:
    """The conversation view: a head per connection, then number, time, direction and meaning."""

    def __init__(self) -> None:
        self._reveal = False
        self._link: int | None = None
        self.started = False

    def begin(self, inlet: DecodedInput) -> None:
        """The next input."""
        self._reveal, self._link = inlet.reveal, None

    def lines(self, line: Line) -> Iterator[bytes]:
        if line.link != self._link:
            name = f" · {line.device.name}" if line.device.name else ""
            gap = "\n" if self.started else ""
            yield f"{gap}Connection {line.link} · {line.device.address}{name} · {utc_text(line.at)}".encode()
            self._link, self.started = line.link, True
        text = sentence(line, reveal=self._reveal)
        if len(text) > _MOST_SENTENCE:
            text = text[: _MOST_SENTENCE - 1] + "…"
        yield f"{line.number:6}  {_clock(line.at)}  {_ARROWS[line.direction]}  {text}".encode()

    def network(self, reading: RegisterReading) -> Iterator[bytes]:
        self._link, self.started = None, True
        values = ", ".join(f"{value.key} = {value_words(value)}" for value in reading.values)
        yield f"        {_clock(reading.at)}  ((  {reading.device.id}: {values}".encode()


def _clock(at: float) -> str:
    return utc_text(at)[11:-1]


class Unknowns:
    """The registers a capture shows that nobody has described."""

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
        """What to say about them; nothing where all are known."""
        if self._seen:
            yield ""
            yield "Registers nobody has described yet:"
        for register, counts in sorted(self._seen.items()):
            most = ", ".join(f"{raw.hex() or '-'} x{count}" for raw, count in counts.most_common(4))
            yield f"  0x{register:04X}  {most}{', …' if len(counts) > 4 else ''}"
