"""The command `bluewatt`: one file per command, imported when the command is used.

`main` is the front door. It turns what went wrong into one line on standard error and an exit code: those of `ExitCode`
(`errors.py`), which also says what they mean.
"""

from __future__ import annotations

import atexit
import gc
import io
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any

import click

from bluewatt import __version__
from bluewatt.cli.exits import forget_output, report_error
from bluewatt.errors import ExitCode

COMMANDS = {
    "demo": "A live table of a simulated site. Needs no Bluetooth.",
    "scan": "The devices around, nearest first, and why one shows no values.",
    "watch": "All values of devices, as they come.",
    "decode": "Explain an advertisement, a line of another tool, or a capture file.",
    "diff": "Which registers changed between two captures: what a setting does.",
    "capture": "Record advertisements into a file that Wireshark opens.",
    "emulate": "Be a device that other people's software pairs with and reads.",
    "read": "Connect to a device, pair once, print what it knows.",
    "key": "Fetch a device's Instant Readout key, or import keys.",
    "history": "The days or counters a device keeps.",
    "mode": "Switch a charger or an inverter.",
    "set": "Change what may safely be changed, and prove it.",
    "wireshark": "Write the Wireshark dissector.",
    "reference": "Print a page of the reference.",
}
"""Command → what `bluewatt --help` says of it; each is the function `command` of the module of its name."""


class LazyGroup(click.Group):
    """The commands of `COMMANDS`; listing them imports none."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All commands, in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of a name, imported now."""
        if cmd_name not in COMMANDS:
            return None
        found: click.Command = import_module(f"bluewatt.cli.{cmd_name}").command
        return found

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; that nobody reads its output any more is a good end (click would make it exit code 1)."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            forget_output()
            return 0

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "-V", "--version", prog_name="bluewatt", message="%(prog)s %(version)s")
def bluewatt() -> None:
    """Hear, talk to, imitate and explain the Bluetooth devices of Victron Energy."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    _spare_the_collector()
    _take_any_terminal()
    try:
        code = bluewatt.main(arguments, prog_name="bluewatt", standalone_mode=False)
        sys.stdout.flush()
    except BrokenPipeError:
        forget_output()
        return ExitCode.OK
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    except Exception as error:
        return report_error(error)
    return code if isinstance(code, int) else ExitCode.OK


def _take_any_terminal() -> None:
    """A character the terminal's encoding lacks becomes "?"; a stream that was closed before we began is empty."""
    sys.stdin, sys.stdout = sys.stdin or open(os.devnull), sys.stdout or open(os.devnull, "w")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def _spare_the_collector() -> None:
    """What a start imports is there for good: to search it for garbage, at the end again, takes a fifth of its time."""
    gc.set_threshold(100_000)
    atexit.register(gc.freeze)
