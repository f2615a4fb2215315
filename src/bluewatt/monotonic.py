"""The steady clock of everything that waits: that of the event loop, so that a loop with another clock governs all."""

from __future__ import annotations

import asyncio
import time


def monotonic() -> float:
    """Return the seconds of the running event loop's clock; outside of a loop, those of the computer's steady clock."""
    try:
        return asyncio.get_running_loop().time()
    except RuntimeError:
        return time.monotonic()
