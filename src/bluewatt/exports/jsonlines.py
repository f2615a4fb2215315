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
    """Write a line to standard output, at once."""
    sys.stdout.buffer.write(line + b"\n")
    sys.stdout.buffer.flush()


def to_json(inputs: Iterable[DecodedInput], out: Writable) -> None:
    """Write a JSON object per reading, register value or line of a conversation."""
    waiting: list[bytes] = []
    try:
        for one in inputs:
            _json_lines(one, waiting, out)
    finally:
        flush(waiting, out)


def _json_lines(given: DecodedInput, waiting: list[bytes], out: Writable) -> None:
    """Write the lines of an input; those made before an error stay in `waiting`."""
    writer = LineWriter(given.source, reveal=given.reveal)
    append, line, block = waiting.append, writer.line, given.block
    for _, entries in given.packets:
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
