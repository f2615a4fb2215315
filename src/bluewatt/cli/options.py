"""Options that several commands share: each is spelled and explained once. Those of commands that link are in
`link_options`.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Sequence
from functools import wraps
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import click

from bluewatt.secret import SecretText

if TYPE_CHECKING:
    from bluewatt.model.keys import KeyRing
    from bluewatt.wire.vesmart.broadcast import Network

Command = TypeVar("Command", bound=Callable[..., Any])
Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


class FiniteRange(click.FloatRange):
    """A range of numbers that refuses "nan" and "inf", which click takes for members of any range and of open ones."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the number; a text that is no finite number is a usage error."""
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value!r} is not a finite number.", param, ctx)
        return number


class SecretType(click.types.StringParamType):
    """A text that is never printed: a key or a PIN."""

    name = "text"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> SecretText:
        """Return the text as a secret."""
        return value if isinstance(value, SecretText) else SecretText(value)


SECRET = SecretType()
"""The type of options that take a key or a PIN."""

POSITIVE = FiniteRange(min=0, min_open=True)
"""The type of options that take seconds."""


def add_options(command: Callable[..., Any], options: Sequence[Decorator]) -> Callable[..., Any]:
    """Return the command with options, which its help lists in this order."""
    for option in reversed(options):
        command = option(command)
    return command


def keys_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--key`, which may be repeated, and `--keys`."""
    return add_options(command, KEYS_OPTIONS)


KEYS_OPTIONS: Sequence[Decorator] = (
    click.option(
        "--key", "keys", type=SECRET, multiple=True, metavar="[ADDRESS=]KEY",
        help="The key of a device, 32 hex digits. A key without an address is tried on every device. Repeatable; "
        "the environment variable BLUEWATT_KEYS takes several, separated by commas.",
    ),
    click.option(
        "--keys", "keys_file", type=click.Path(dir_okay=False), metavar="FILE",
        help="The key file (TOML, readable by you alone). [default: keys.toml in your configuration folder]",
    ),
)  # fmt: skip
"""The options that `keys_options` adds."""


def force_option(command: Command) -> Command:
    """Add `--force`."""
    return click.option("--force", is_flag=True, help="Replace the output file if it exists.")(command)


def json_option(explained: str) -> Decorator:
    """Return the option `--json` with its help."""
    return click.option("--json", "as_json", is_flag=True, help=explained)


UTC_OPTION: Decorator = click.option("--utc", is_flag=True, help="Show times in UTC. [default: local time]")
"""The option `--utc`."""


WITHOUT_TERMINAL = 10.0
"""Seconds after which a command ends that has neither --seconds nor a terminal for Ctrl-C."""


def limit_of(seconds: float | None, source: str = "") -> float | None:
    """Return the seconds to listen: those given; unlimited on a terminal or for a capture; otherwise ten."""
    endless = sys.stdout.isatty() or source.startswith("capture:")
    return seconds if seconds is not None or endless else WITHOUT_TERMINAL


def given_names(keys_file: str | None = None) -> dict[str, str]:
    """Return the names that the settings and the key file give devices, by address; the settings count more.

    A settings file or a key file that cannot be used raises ConfigError.
    """
    from bluewatt.config import load_settings
    from bluewatt.services.keys import key_file_names

    return key_file_names(keys_file) | load_settings().names()


class Listening(NamedTuple):
    """What the options of a command that listens ask for."""

    seconds: float | None
    as_json: bool
    record: str | None
    keys: Sequence[str] = ()
    keys_file: str | None = None

    def limit(self, source: str = "") -> float | None:
        """Return the seconds to listen to a source, as `limit_of` does."""
        return limit_of(self.seconds, source)

    def key_ring(self) -> KeyRing:
        """Return all keys of the key file, the environment and the command line; errors as `gather_keys` has them."""
        from bluewatt.services.keys import gather_keys

        return gather_keys(self.keys, self.keys_file)

    def names(self) -> dict[str, str]:
        """Return the names given to devices, as `given_names` does."""
        return given_names(self.keys_file)

    def networks(self) -> Sequence[Network]:
        """Return the VE.Smart networks of the key file; errors as `gather_networks` has them."""
        from bluewatt.services.keys import gather_networks

        return gather_networks(self.keys_file)


SECONDS_OPTION: Decorator = click.option(
    "--seconds", type=POSITIVE, metavar="N",
    help="End after N seconds. [default: at Ctrl-C; without a terminal, after 10 seconds]",
)  # fmt: skip
"""The option `--seconds`."""


def listen_options(*, keys: bool = True) -> Decorator:
    """Add `--seconds`, `--json`, `--record` and, with `keys`, the two of `keys_options`.

    The command gets one parameter `listening` in place of all of them.
    """
    options: list[Decorator] = [
        SECONDS_OPTION,
        json_option("Print JSON Lines, one object per reading, in place of tables."),
        click.option(
            "--record", type=click.Path(dir_okay=False), metavar="FILE",
            help="Append every advertisement, still encrypted, to this file; `capture:FILE` replays it.",
        ),
        *(KEYS_OPTIONS if keys else ()),
    ]  # fmt: skip

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(command)
        def with_listening(**given: Any) -> Any:
            chosen = {name: given.pop(name) for name in Listening._fields if name in given}
            return command(listening=Listening(**chosen), **given)

        return add_options(with_listening, options)

    return decorate
