"""JSON Lines, streamed."""

from __future__ import annotations

import sys
from collections.abc import Iterable

from bluewatt.exports.decoded_input import DecodedInput, flush
from bluewatt.model.dialogue.conversation import Line
from bluewatt.model.dialogue.json_objects import LineWriter
from bluewatt.model.json_objects import json_line
from bluewatt.model.register_values import RegisterReading
from bluewatt.safe_write import Writable


def write_json(line: bytes) -> None:
    """A line on standard output, at once."""
    sys.stdout.buffer.write(line + b"\n")
    sys.stdout.buffer.flush()


def to_json(inlets: Iterable[DecodedInput], out: Writable) -> None:
    """A JSON object per reading, register value or line of a conversation."""
    waiting: list[bytes] = []
    try:
        for inlet in inlets:
            _json_lines(inlet, waiting, out)
    finally:
        flush(waiting, out)


def _json_lines(inlet: DecodedInput, waiting: list[bytes], out: Writable) -> None:
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
