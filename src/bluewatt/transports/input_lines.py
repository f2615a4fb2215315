"""Lines from a pipe, a terminal or a file, as they come, without a thread."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from typing import BinaryIO

LONGEST_LINE = 1 << 16
"""Bytes of the longest line that is read."""


async def lines(file: BinaryIO) -> AsyncIterator[bytes]:
    """Yield the lines that are not blank, until the end; a line longer than LONGEST_LINE is skipped."""
    reader = asyncio.StreamReader(limit=LONGEST_LINE)
    loop = asyncio.get_running_loop()
    pipe = os.fdopen(os.dup(file.fileno()), "rb", buffering=0)
    blocking = os.get_blocking(file.fileno())
    try:
        transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), pipe)
    except ValueError:  # an ordinary file, which never keeps anybody waiting
        pipe.close()
        for line in file:
            yield line
        return
    try:
        while True:
            try:
                line = await reader.readline()
            except ValueError:
                continue
            if not line:
                return
            if line.strip():
                yield line
    finally:
        transport.close()
        # The input may be shared with other programs (a terminal's is): leave it as it was found.
        os.set_blocking(file.fileno(), blocking)
