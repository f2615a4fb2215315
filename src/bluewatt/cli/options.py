"""Options that several commands share, spelled and explained once."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from typing import Any, TypeVar

import click

from bluewatt.secret import SecretText

Command = TypeVar("Command", bound=Callable[..., Any])
Decorator = Callable[[Command], Command]


class FiniteRange(click.FloatRange):
    """A range of numbers: click's own takes "nan" for within any range, and "inf" for within one without end."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The number; a usage error for what is none."""
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value!r} is not a number to count with.", param, ctx)
        return number


class SecretType(click.types.StringParamType):
    """A text that is never printed: a key or a PIN."""

    name = "text"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> SecretText:
        """Return it as a secret."""
        return value if isinstance(value, SecretText) else SecretText(value)


SECRET = SecretType()
"""The type of options that take a key or a PIN."""

POSITIVE = FiniteRange(min=0, min_open=True)
"""The type of options that count seconds."""


def keys_options(command: Command) -> Command:
    """`--key` (again and again) and `--keys`."""
    for option in (
        click.option(
            "--keys", "keys_file", type=click.Path(dir_okay=False), metavar="FILE",
            help="Key file (TOML, readable by you alone). [default: the one in your configuration folder]",
        ),
        click.option(
            "--key", "keys", type=SECRET, multiple=True, metavar="[ADDRESS=]KEY",
            help="A device's key: 32 hex digits. Without address it is tried on every device. Repeatable; "
            "the environment variable BLUEWATT_KEYS takes several, with commas.",
        ),
    ):  # fmt: skip
        command = option(command)
    return command


def live_options(command: Command) -> Command:
    """`--seconds`, `--json` and `--record`."""
    for option in (
        click.option(
            "--record", type=click.Path(dir_okay=False), metavar="FILE",
            help="Append every advertisement, still encrypted, to this file; `capture:FILE` plays it again.",
        ),
        json_option("Print JSON Lines, one object per reading, instead of tables."),
        click.option(
            "--seconds", type=POSITIVE, metavar="N",
            help="End after so many seconds. [default: Ctrl-C ends; 10 where no terminal is there]",
        ),
    ):  # fmt: skip
        command = option(command)
    return command


def force_option(command: Command) -> Command:
    """`--force`."""
    return click.option("--force", is_flag=True, help="Replace the file to write if it exists.")(command)


def json_option(explained: str) -> Decorator[Any]:
    """`--json`."""
    return click.option("--json", "as_json", is_flag=True, help=explained)


WITHOUT_TERMINAL = 10.0
"""Seconds a command runs where nobody can press Ctrl-C and none were named."""


def limit_of(seconds: float | None, spec: str = "") -> float | None:
    """How long to listen: as asked, for ever on a terminal or to a capture (it ends itself), else WITHOUT_TERMINAL."""
    endless = sys.stdout.isatty() or spec.startswith("capture:")
    return seconds if seconds is not None or endless else WITHOUT_TERMINAL
