"""How `bluewatt decode FILE` writes what it found: devices and conversations for people, JSON Lines, CSV."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from bluewatt.model.dialogue.conversation import Line
from bluewatt.model.dialogue.json_objects import LineWriter
from bluewatt.model.dialogue.sentences import sentence, value_words, values_of
from bluewatt.model.dialogue.transcript import Entry, Step
from bluewatt.model.json_objects import json_line, json_value, utc_text
from bluewatt.model.reading import Reading, Undecoded
from bluewatt.model.register_values import HIDDEN, RegisterReading, RegisterValue
from bluewatt.model.roster import Roster
from bluewatt.safe_write import Writable
from bluewatt.tables.products import product_name
from bluewatt.wire.registers.values import plain
from bluewatt.wire.victronconnect.events import Role

BLOCK_LINES = 512
"""Lines written at once."""

CSV_HEADER = (
    *("at", "source", "address", "name", "product", "record", "metric", "value", "unit"),
    *("connection", "number", "direction", "message", "instance", "register", "raw"),
)
_CONVERSATION_CELLS = ("",) * 7

_ARROWS = {Role.CLIENT: "->", Role.DEVICE: "<-", None: "  "}
_MOST_SENTENCE = 160


class Inlet(NamedTuple):
    """What one input gives, and how to write it."""

    steps: Iterable[Step]
    """Each advertisement with what it led to, each packet of a connection with its lines."""
    source: str
    reveal: bool = False
    """Whether keys and PINs are shown."""
    block: int = BLOCK_LINES
    """Lines to write at once: of a pipe each line, as it comes."""


def to_json(inlets: Iterable[Inlet], out: Writable) -> None:
    """A JSON object per reading, register value or line of a conversation."""
    waiting: list[bytes] = []
    try:
        for inlet in inlets:
            _json_lines(inlet, waiting, out)
    finally:
        flush(waiting, out)


def _json_lines(inlet: Inlet, waiting: list[bytes], out: Writable) -> None:
    """Lines made before an error stay in `waiting`."""
    writer = LineWriter(inlet.source, reveal=inlet.reveal)
    append, line, block = waiting.append, writer.line, inlet.block
    for _, entries in inlet.steps:
        for entry in entries:
            kind = entry.__class__
            if kind is Line:
                append(line(entry))  # type: ignore[arg-type]
            elif kind is RegisterReading:
                waiting += writer.registers(entry)  # type: ignore[arg-type]
            else:
                append(json_line(entry))  # type: ignore[arg-type]
        if len(waiting) >= block:
            flush(waiting, out)


def to_csv(inlets: Iterable[Inlet], out: Writable) -> None:
    """A line per value, "long" form: it streams, and no record needs the columns of another."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(CSV_HEADER)
    made = 0
    try:
        for inlet in inlets:
            for _, entries in inlet.steps:
                for entry in entries:
                    writer.writerows(_csv_rows(entry, inlet))
                    made += 1
                if made >= inlet.block:
                    _drain(text, out)
                    made = 0
    finally:
        _drain(text, out)


def _csv_rows(entry: Entry, inlet: Inlet) -> Iterator[tuple[object, ...]]:
    if isinstance(entry, Reading):
        yield from _reading_rows(entry)
    elif isinstance(entry, RegisterReading):
        head = (utc_text(entry.at), inlet.source, entry.device.address, entry.device.name, None, entry.medium)
        for value in entry.values:
            yield *head, *_value_cells(value, inlet), *("",) * 5, f"0x{value.register:04X}", value.raw.hex()
    elif isinstance(entry, Line):
        yield from _line_rows(entry, inlet)


def _reading_rows(reading: Reading) -> Iterator[tuple[object, ...]]:
    device = reading.device
    product = product_name(device.product_id) if device.product_id is not None else None
    head = (utc_text(reading.at), reading.frame.origin, device.address, device.name, product)
    for row in reading.record.rows:
        value = getattr(reading.record, row.name)
        if value is not None and not row.hidden:
            plainly = json_value(value)
            text = " ".join(map(str, plainly)) if isinstance(plainly, (list, tuple)) else plainly
            yield *head, reading.record.record_name, row.name, text, row.unit, *_CONVERSATION_CELLS


def _line_rows(line: Line, inlet: Inlet) -> Iterator[tuple[object, ...]]:
    device = line.device
    product = product_name(device.product_id) if device.product_id is not None else None
    head = (utc_text(line.at), inlet.source, device.address, device.name, product, line.kind)
    side = line.direction.value if line.direction else ""
    for value in values_of(line):
        raw = HIDDEN if value.secret and not inlet.reveal else value.raw.hex()
        where = (line.link, line.number, side, line.message, value.instance, f"0x{value.register:04X}", raw)
        yield *head, *_value_cells(value, inlet), *where


def _value_cells(value: RegisterValue, inlet: Inlet) -> tuple[object, ...]:
    if value.secret and not inlet.reveal:
        return value.key, HIDDEN, ""
    plainly = plain(value.value)
    text = plainly if isinstance(plainly, int | float | str) else value_words(value) if plainly is not None else ""
    return value.key, text, value.unit


def _drain(text: io.StringIO, out: Writable) -> None:
    out.write(text.getvalue().encode())
    out.flush()
    text.seek(0)
    text.truncate()


def flush(waiting: list[bytes], out: Writable) -> None:
    """Write the lines that wait."""
    if waiting:
        waiting.append(b"")
        out.write(b"\n".join(waiting))
        out.flush()
        waiting.clear()


def to_table(inlets: Iterable[Inlet], out: Writable) -> None:
    """The conversations line by line, then the devices heard, then the registers nobody knows."""
    from bluewatt.cli.terminal import plain_table

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


def _table_step(step: Step, roster: Roster, unknown: Unknowns, talk: _Talk, waiting: list[bytes]) -> None:
    frame, entries = step
    if frame is not None:
        roster.heard(frame)
    for entry in entries:
        if isinstance(entry, Line):
            unknown.note(entry)
            waiting += talk.lines(entry)
        elif isinstance(entry, Reading | Undecoded):
            roster.told(entry)
        else:
            waiting += talk.network(entry)


class _Talk:
    """The conversation view: a head per connection, then number, time, direction and meaning."""

    def __init__(self) -> None:
        self._reveal = False
        self._link: int | None = None
        self.started = False

    def begin(self, inlet: Inlet) -> None:
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
            if value.meaning is None:
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


WRITERS: dict[str, Callable[[Iterable[Inlet], Writable], None]] = {"json": to_json, "csv": to_csv, "table": to_table}
"""Format → its writer."""
