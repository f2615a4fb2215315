"""`bluewatt watch`: all values of devices, as they come."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import click
from rich.console import Console

from bluewatt.app.listening import Screen, listen
from bluewatt.app.sources import is_source
from bluewatt.cli.option_rules import RuledCommand
from bluewatt.cli.options import UTC_OPTION, Listening, listen_options
from bluewatt.errors import DeviceNotFound, KeyProblem
from bluewatt.exports.terminal.screens import JsonScreen, LineScreen, TableScreen, panels
from bluewatt.model.display import counted
from bluewatt.model.identity import Device
from bluewatt.model.keys import normal_address
from bluewatt.model.vesmart import FrameOutcome
from bluewatt.services.source_reader import SourceReader

EXAMPLES = (
    ("watch", "all values of all devices, until Ctrl-C"),
    ("watch shunt --seconds 60", 'those of the devices with "shunt" in their name, for a minute'),
    ("watch capture:drive.pcapng --utc", "the readings of a capture, with times in UTC"),
)


@click.command("watch", cls=RuledCommand, examples=EXAMPLES)
@click.argument("arguments", nargs=-1, metavar="[SOURCE] [DEVICE]...")
@listen_options()
@UTC_OPTION
def command(
    arguments: tuple[str, ...],
    listening: Listening,
    utc: bool,
) -> None:
    """Show all values of devices, as they come.

    SOURCE is "ble:" (the default), "ble:hci1", "capture:FILE?speed=10", "virtual:", or an adapter that nothing else
    uses: "usb:0", "hci-socket:0", "tcp-client:HOST:PORT". DEVICE is an address or a part of a name; without one all
    devices are shown.
    """
    given = list(arguments)
    spec = given.pop(0) if given and is_source(given[0]) else "ble:"
    if other := next(filter(is_source, given), None):
        raise click.UsageError(f"{other} is a source: it goes before the devices, and there is one")
    names = listening.names()
    chosen = Chosen(given, names)

    def screen() -> Screen:
        if listening.as_json:
            return Filtered(chosen, JsonScreen())
        if Console().is_terminal:
            return TableScreen(partial(panels, shows=chosen.__contains__, ending="Ctrl-C ends", names=names))
        return Filtered(chosen, LineScreen(utc=utc, names=names))

    source = listen(
        spec, keys=listening.key_ring(), networks=listening.networks(), screen=screen,
        seconds=listening.limit(spec), record=listening.record, unasked=listening.seconds is None,
    )  # fmt: skip
    if not any(entry.device in chosen for entry in source.roster.entries.values()):
        heard = len(source.roster.entries)
        raise DeviceNotFound(
            f"{' or '.join(given)} was not heard, but {counted(heard, 'other device')}: `bluewatt scan` lists them"
        )


class Chosen:
    """The devices asked for, by address or part of a name (their own or a given one); all devices if none is named."""

    def __init__(self, wanted: Sequence[str], names: Mapping[str, str]) -> None:
        self._given = names
        self._addresses = {address for text in wanted if (address := _address(text))}
        self._names = [text.casefold() for text in wanted if _address(text) is None]

    def __contains__(self, device: Device) -> bool:
        if not self._addresses and not self._names:
            return True
        names = f"{self._given.get(device.address, '')}\n{device.name or ''}".casefold()
        return device.address in self._addresses or any(part in names for part in self._names)


def _address(text: str) -> str | None:
    try:
        return normal_address(text)
    except KeyProblem:
        return None


class Filtered:
    """A screen that is given the chosen devices only."""

    def __init__(self, chosen: Chosen, screen: Screen) -> None:
        self._chosen = chosen
        self._screen = screen

    def put(self, outcome: FrameOutcome) -> None:
        """Pass on the outcome if it is of a chosen device."""
        if outcome.device in self._chosen:
            self._screen.put(outcome)

    def tick(self, source: SourceReader) -> None:
        """Pass on that time has passed."""
        self._screen.tick(source)

    def close(self, source: SourceReader) -> None:
        """Pass on that the source has ended."""
        self._screen.close(source)
