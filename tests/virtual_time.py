"""An event loop that does not wait: where nothing is left to do it jumps to its next timer.

Whatever waits by the loop's clock (sleeps, time-outs, timers, `bluewatt.monotonic`) then depends on the
order of events alone, not on how fast or busy the machine is.
"""

from __future__ import annotations

import asyncio
import selectors
import sys
import time
from collections.abc import Callable, Coroutine
from typing import Any

TURN = 1e-6
"""Seconds a turn of the loop takes: a clock that stood still would never pass a time that is a rounding error ahead."""


class _JumpingSelector(selectors.DefaultSelector):
    """Asks what is ready now and, where that is nothing, moves the clock by as long as it was to wait."""

    loop: JumpingLoop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self.loop.now += TURN
        if self.loop.threads:
            return super().select(0.01 if timeout is None else min(timeout, 0.01))
        if timeout is None or timeout <= 0:
            return super().select(timeout)
        ready = super().select(0)
        if not ready:
            self.loop.now += timeout
        return ready


class JumpingLoop(asyncio.SelectorEventLoop):
    """The loop; its clock hardly moves while anything runs, also while a thread works for it."""

    def __init__(self) -> None:
        self.now = time.monotonic()
        self.threads = 0
        selector = _JumpingSelector()
        selector.loop = self
        super().__init__(selector)

    def time(self) -> float:
        return self.now

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> asyncio.Future[Any]:
        future = super().run_in_executor(executor, func, *args)
        self.threads += 1
        future.add_done_callback(self._thread_ended)
        return future

    def _thread_ended(self, future: asyncio.Future[Any]) -> None:
        self.threads -= 1


def main() -> int:
    """Run the command line with this loop in place of the usual one."""
    from bluewatt.cli import main as command

    def run(main: Coroutine[Any, Any, Any]) -> Any:
        with asyncio.Runner(loop_factory=JumpingLoop) as runner:
            return runner.run(main)

    asyncio.run = run  # type: ignore[assignment]
    return command()


if __name__ == "__main__":
    sys.exit(main())
