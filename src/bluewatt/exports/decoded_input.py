"""One input of `bluewatt decode`, as it is handed to a writer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from bluewatt.model.dialogue.transcript import DecodedPacket
from bluewatt.safe_write import Writable

BLOCK_LINES = 512
"""Lines written at once, unless the input is live."""


class DecodedInput(NamedTuple):
    """The packets of one input, and how to write them."""

    packets: Iterable[DecodedPacket]
    """Advertisements with their readings, packets of connections with their lines."""
    source: str
    reveal: bool = False
    """Whether keys and PINs are shown."""
    block: int = BLOCK_LINES
    """Lines to write at once: 1 for a pipe, so that each line is there as it comes."""


def flush(waiting: list[bytes], out: Writable) -> None:
    """Write the waiting lines and empty the list."""
    if waiting:
        waiting.append(b"")
        out.write(b"\n".join(waiting))
        out.flush()
        waiting.clear()
