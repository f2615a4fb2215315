"""How an error ends a command: with one sentence on standard error and an exit code."""

from __future__ import annotations

import errno
import os
import sys

import click

from bluewatt.errors import DEBUG, BluewattError, CaptureError, ExitCode
from bluewatt.extras import missing_library


def forget_output() -> None:
    """Write no more output, since nobody reads it; the interpreter flushes it at exit and would fail again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def report_error(error: Exception) -> int:
    """Print in one line what went wrong and return the exit code for it."""
    if os.environ.get(DEBUG) and not isinstance(error, click.exceptions.Exit):
        import traceback

        traceback.print_exception(error)
    if isinstance(error, click.exceptions.Exit):
        return error.exit_code
    if isinstance(error, click.Abort):
        return ExitCode.INTERRUPTED
    if isinstance(error, click.ClickException):
        error.show()
        return error.exit_code
    cause = _leaf(error)
    if isinstance(cause, ModuleNotFoundError):
        cause = missing_library(cause, "this") or cause
    if isinstance(cause, BluewattError):
        _say(str(cause))
        return cause.exit_code
    if isinstance(cause, OSError) and cause.errno in (errno.ENOSPC, errno.EIO, errno.EDQUOT):
        _say(f"cannot write the output: {cause.strerror}")
        forget_output()
        return CaptureError.exit_code
    _say(f"unexpected {type(cause).__name__}: this is a bug, please report it ({DEBUG}=1 shows the traceback)")
    return ExitCode.BUG


def _leaf(error: BaseException) -> BaseException:
    """Return the first error of Bluewatt in a group of errors, else the first error."""
    if not isinstance(error, BaseExceptionGroup):
        return error
    leaves = [_leaf(inner) for inner in error.exceptions]
    return next((leaf for leaf in leaves if isinstance(leaf, BluewattError)), leaves[0])


def _say(message: str) -> None:
    from bluewatt.exports.terminal.notices import notice  # here: a start without an error needs none

    notice(message)
