"""What happens meanwhile, on standard error: the steps that the package logs, as -v asks for or on one line."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from bluewatt.exports.terminal.notices import notice
from bluewatt.wire.printable import printable

_PACKAGE = "bluewatt"
_CLEAR = "\r\x1b[K"


class _Notices(logging.Handler):
    """Prints each step as a line."""

    def emit(self, record: logging.LogRecord) -> None:
        notice(record.getMessage())


class _Line(logging.Handler):
    """Prints each step over the one before."""

    def emit(self, record: logging.LogRecord) -> None:
        print(f"{_CLEAR}{printable(record.getMessage())} ...", end="", file=sys.stderr, flush=True)


@contextmanager
def verbose(*, libraries: bool = False) -> Iterator[None]:
    """Report every step, a line each, while the block runs; with `libraries` also what other libraries log.

    The libraries report from INFO on, since DEBUG of some of them holds keys.
    """
    with _handler(logging.getLogger(_PACKAGE), _Notices(), logging.DEBUG, alone=True):
        if not libraries:
            yield
            return
        lines = logging.StreamHandler(sys.stderr)
        lines.setFormatter(logging.Formatter(logging.BASIC_FORMAT))
        with _handler(logging.getLogger(), lines, logging.INFO):
            yield


@contextmanager
def progress_line() -> Iterator[None]:
    """Show the present step on one line of the terminal, which is empty again when the block ends.

    Nothing is shown if standard error is no terminal, or if the steps are reported anyway (-v, BLUEWATT_DEBUG).
    """
    logger = logging.getLogger(_PACKAGE)
    if not sys.stderr.isatty() or logger.isEnabledFor(logging.INFO):
        yield
        return
    try:
        with _handler(logger, _Line(logging.INFO), logging.INFO, alone=True):
            yield
    finally:
        print(_CLEAR, end="", file=sys.stderr, flush=True)


def notice_over_line(sentence: str) -> None:
    """Print a notice where a progress line may stand: the notice takes its place."""
    if sys.stderr.isatty():
        print(_CLEAR, end="", file=sys.stderr)
    notice(sentence)


@contextmanager
def _handler(logger: logging.Logger, handler: logging.Handler, level: int, *, alone: bool = False) -> Iterator[None]:
    """Give a logger one more handler while the block runs, the only one if `alone`."""
    before = logger.level, logger.propagate
    logger.addHandler(handler)
    logger.setLevel(level)
    logger.propagate = not alone and logger.propagate
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before[0])
        logger.propagate = before[1]
