"""Runs a command until it ends or is asked to: by Ctrl-C, SIGTERM, or the SIGHUP of a terminal that was closed."""

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
    """Return what a coroutine returns; CancelledError, after it has closed what it opened, if a signal asked it to end.

    A second signal ends the process at once: a person who sends it does not want to wait for what is being closed.
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
    """Return the signals that end a command; a SIGHUP that is ignored (nohup) stays so."""
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
    """End the process by a signal as if none had been caught; terminal and input, which others share, are restored."""
    with suppress(OSError, ValueError, AttributeError):
        os.set_blocking(sys.stdin.fileno(), blocking)
    if sys.stdout.isatty():
        with suppress(OSError):
            print(_SHOW_CURSOR, end="", flush=True)
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


def run_until_stopped(main: Coroutine[Any, Any, _T]) -> _T | None:
    """Run a command that goes on until it is stopped; return its result, or None if a signal ended it: a good end.

    What libraries log is kept off the screen. For an end after some seconds, `main` uses `time_limit`.
    """
    quiet_libraries()
    return asyncio.run(_well_ended(main))


async def _well_ended(main: Coroutine[Any, Any, _T]) -> _T | None:
    with suppress(asyncio.CancelledError):
        return await until_stopped(main)
    return None


def run_interruptible(main: Coroutine[Any, Any, _T]) -> _T:
    """Run a command that has an end of its own; return its result. A signal before that raises KeyboardInterrupt.

    What was open is closed first, such as a link, which the Bluetooth system would keep otherwise. What libraries log
    is kept off the screen.
    """
    quiet_libraries()
    return asyncio.run(_interruptible(main))


async def _interruptible(main: Coroutine[Any, Any, _T]) -> _T:
    try:
        return await until_stopped(main)
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None


def quiet_libraries() -> None:
    """Keep what libraries log off the screen, unless the user asked for it; their lines go to standard error."""
    level = logging.INFO if os.environ.get(DEBUG) else logging.CRITICAL
    logging.basicConfig(level=level, stream=sys.stderr)
