"""The command `bluewatt`: one file per command, imported when the command is used.

`main` runs a command line. It turns what went wrong into one line on standard error and an exit code, which is one of
`ExitCode` (`errors.py`).
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
from bluewatt.errors import ExitCode

COMMANDS = {
    "demo": "Show a live table of a simulated site; needs no Bluetooth.",
    "adapters": "List the Bluetooth adapters of this computer.",
    "scan": "List the devices around you, nearest first, or why one shows no values.",
    "watch": "Show all values of devices, as they come.",
    "decode": "Explain an advertisement, a line of another tool, or a capture file.",
    "diff": "Show which registers differ between two captures.",
    "capture": "Record advertisements into a file that Wireshark opens.",
    "emulate": "Be a device that other software pairs with and reads.",
    "read": "Connect to a device and print what it knows; pairs once.",
    "key": "Fetch the Instant Readout key of a device; import, list and check keys.",
    "history": "Print the days or counters that a device keeps.",
    "mode": "Switch a charger or an inverter.",
    "set": "Change a setting that may safely be changed, and read it back.",
    "wireshark": "Print or install the dissector for Wireshark.",
    "reference": "Print a page of the reference, or look up a number or a name.",
}
"""What `bluewatt --help` says of each command, which is the function `command` of the module of its name."""


class LazyGroup(click.Group):
    """The commands of `COMMANDS`, which are imported when they are used: listing them imports none."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return all commands, in the order of the table."""
        return list(COMMANDS)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that the first word names; a usage error that suggests similar names if none does."""
        name = args[0]
        if name in COMMANDS or name.startswith("-"):
            return super().resolve_command(ctx, args)
        from difflib import get_close_matches  # here: a known command needs no suggestion

        similar = get_close_matches(name.lower(), COMMANDS, n=2)
        advice = f"did you mean {' or '.join(similar)}?" if similar else "`bluewatt --help` lists the commands."
        raise click.UsageError(f"there is no command {name!r}; {advice}", ctx)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command of a name, imported now; None if there is none."""
        if cmd_name not in COMMANDS:
            return None
        found: click.Command = import_module(f"bluewatt.cli.{cmd_name}").command
        return found

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command. If the reader of its output ends, that is a good end (click would make it exit code 1)."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            return _end_without_reader()

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "-V", "--version", prog_name="bluewatt", message="%(prog)s %(version)s")
def bluewatt() -> None:
    """Receive, read, set, imitate and explain the Bluetooth devices of Victron Energy."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    _spare_the_collector()
    _take_any_terminal()
    try:
        code = bluewatt.main(arguments, prog_name="bluewatt", standalone_mode=False)
        sys.stdout.flush()
    except BrokenPipeError:
        return _end_without_reader()
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    except Exception as error:
        from bluewatt.cli.exits import report_error  # here: most starts end well

        return report_error(error)
    return code if isinstance(code, int) else ExitCode.OK


def _end_without_reader() -> int:
    """Return the exit code for an output that its reader closed, such as `head`: a good end."""
    from bluewatt.cli.exits import forget_output

    forget_output()
    return ExitCode.OK


def _take_any_terminal() -> None:
    """Print "?" for a character that the terminal lacks; take a stream that was closed before the start for empty."""
    sys.stdin, sys.stdout = sys.stdin or open(os.devnull), sys.stdout or open(os.devnull, "w")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def _spare_the_collector() -> None:
    """Spare the garbage collector what a start imports: it stays, and searching it takes a fifth of the time."""
    gc.set_threshold(100_000)
    atexit.register(gc.freeze)
