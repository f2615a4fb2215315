"""The steady clock of everything that waits: the event loop's. A loop that is handed another clock hands it to all."""

from __future__ import annotations

import asyncio
import time


def monotonic() -> float:
    """Seconds of the running event loop's clock, which is the computer's unless somebody made another loop.

    Outside of a loop it is the computer's.
    """
    try:
        return asyncio.get_running_loop().time()
    except RuntimeError:
        return time.monotonic()
