"""How a command ends when it is asked to: Ctrl-C, SIGTERM, and the SIGHUP of a terminal that was closed."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, TypeVar

from bluewatt.errors import DEBUG

_T = TypeVar("_T")

_SHOW_CURSOR = "\x1b[?25h"


async def until_stopped(main: Coroutine[Any, Any, _T]) -> _T:
    """What a coroutine returns; CancelledError, after it has closed what it opened, when a signal asked it to end.

    A second signal ends the process at once: who sends it does not want to wait for what is being closed.
    """
    loop, task = asyncio.get_running_loop(), asyncio.create_task(main, name="command")
    blocking = _is_blocking()

    def asked(number: int) -> None:
        if task.cancelling():
            _end_at_once(number, blocking=blocking)
        task.cancel()

    for number in _signals():
        with suppress(NotImplementedError):  # Windows: Ctrl-C is KeyboardInterrupt there
            loop.add_signal_handler(number, asked, number)
    return await task


def _signals() -> list[int]:
    """The signals that end a command; a SIGHUP that is ignored (nohup) stays so."""
    numbers: list[int] = [signal.SIGINT, signal.SIGTERM]
    hang_up = getattr(signal, "SIGHUP", None)  # Windows has none
    if hang_up is not None and signal.getsignal(hang_up) is not signal.SIG_IGN:
        numbers.append(hang_up)
    return numbers


def _is_blocking() -> bool:
    with suppress(OSError, ValueError, AttributeError):
        return os.get_blocking(sys.stdin.fileno())
    return True


def _end_at_once(number: int, *, blocking: bool) -> None:
    """Die of a signal as if nobody had caught it; only what others share is put in order: terminal and input."""
    with suppress(OSError, ValueError, AttributeError):
        os.set_blocking(sys.stdin.fileno(), blocking)
    if sys.stdout.isatty():
        with suppress(OSError):
            print(_SHOW_CURSOR, end="", flush=True)
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


def run_until_stopped(main: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine until it ends, or until Ctrl-C or SIGTERM ask it to: both are a good end."""
    asyncio.run(_well_ended(main))


async def _well_ended(main: Coroutine[Any, Any, None]) -> None:
    with suppress(asyncio.CancelledError):
        await until_stopped(main)


def quiet_libraries() -> None:
    """Keep what libraries log off the screen, unless the user asked for it; their lines go to standard error."""
    level = logging.INFO if os.environ.get(DEBUG) else logging.CRITICAL
    logging.basicConfig(level=level, stream=sys.stderr)


def run_interruptible(main: Coroutine[Any, Any, _T]) -> _T:
    """Run a coroutine with what libraries log kept off the screen.

    Ctrl-C and SIGTERM close the link, which the Bluetooth system would keep open otherwise; they end in
    KeyboardInterrupt.
    """
    quiet_libraries()
    return asyncio.run(_interruptible(main))


async def _interruptible(main: Coroutine[Any, Any, _T]) -> _T:
    try:
        return await until_stopped(main)
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None
