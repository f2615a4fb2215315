"""What one input gives, handed to a writer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from bluewatt.model.dialogue.transcript import DecodedPacket
from bluewatt.safe_write import Writable

BLOCK_LINES = 512
"""Lines written at once."""


class DecodedInput(NamedTuple):
    """What one input gives, and how to write it."""

    steps: Iterable[DecodedPacket]
    """Each advertisement with what it led to, each packet of a connection with its lines."""
    source: str
    reveal: bool = False
    """Whether keys and PINs are shown."""
    block: int = BLOCK_LINES
    """Lines to write at once: of a pipe each line, as it comes."""


def flush(waiting: list[bytes], out: Writable) -> None:
    """Write the lines that wait."""
    if waiting:
        waiting.append(b"")
        out.write(b"\n".join(waiting))
        out.flush()
        waiting.clear()
