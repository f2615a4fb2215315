"""`bluewatt watch`: everything devices say, as they say it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import click
from rich.console import Console

from bluewatt.app.listening import Screen, listen
from bluewatt.app.sources import is_source
from bluewatt.cli.options import keys_options, limit_of, live_options
from bluewatt.errors import DeviceNotFound, KeyProblem
from bluewatt.exports.terminal.screens import JsonScreen, LineScreen, TableScreen, panels
from bluewatt.model.identity import Device
from bluewatt.model.keys import normal_address
from bluewatt.model.vesmart import FrameOutcome
from bluewatt.services.keys import gather_keys, gather_networks
from bluewatt.services.source_reader import SourceReader


@click.command("watch")
@click.argument("arguments", nargs=-1, metavar="[SOURCE] [DEVICE]...")
@live_options
@keys_options
def command(
    arguments: tuple[str, ...],
    seconds: float | None,
    as_json: bool,
    record: str | None,
    keys: tuple[str, ...],
    keys_file: str | None,
) -> None:
    """Show all values of devices, as they come.

    SOURCE is "ble:" (the default), "ble:hci1", "capture:FILE?speed=10", "virtual:", or an adapter that nothing else
    uses: "usb:0", "hci-socket:0", "tcp-client:HOST:PORT". DEVICE is an address or a part
    of a name; without one all devices are shown.
    """
    given = list(arguments)
    spec = given.pop(0) if given and is_source(given[0]) else "ble:"
    if other := next(filter(is_source, given), None):
        raise click.UsageError(f"{other} is a source: it goes before the devices, and there is one")
    chosen = Chosen(given)

    def screen() -> Screen:
        if as_json:
            return Filtered(chosen, JsonScreen())
        if Console().is_terminal:
            return TableScreen(partial(panels, shows=chosen.__contains__, ending="Ctrl-C ends"))
        return Filtered(chosen, LineScreen())

    source = listen(
        spec, keys=gather_keys(keys, keys_file), networks=gather_networks(keys_file), screen=screen,
        seconds=limit_of(seconds, spec), record=record, unasked=seconds is None,
    )  # fmt: skip
    if not any(entry.device in chosen for entry in source.roster.entries.values()):
        heard = len(source.roster.entries)
        raise DeviceNotFound(
            f"{' or '.join(given)} was not heard, {heard} other devices were: `bluewatt scan` lists them"
        )


class Chosen:
    """The devices asked for, by address or part of a name; all of them when none was named."""

    def __init__(self, wanted: Sequence[str]) -> None:
        self._addresses = {address for text in wanted if (address := _address(text))}
        self._names = [text.casefold() for text in wanted if _address(text) is None]

    def __contains__(self, device: Device) -> bool:
        if not self._addresses and not self._names:
            return True
        name = (device.name or "").casefold()
        return device.address in self._addresses or any(part in name for part in self._names)


def _address(text: str) -> str | None:
    try:
        return normal_address(text)
    except KeyProblem:
        return None


class Filtered:
    """A screen that gets the chosen devices only."""

    def __init__(self, chosen: Chosen, screen: Screen) -> None:
        self._chosen = chosen
        self._screen = screen

    def put(self, outcome: FrameOutcome) -> None:
        """Pass on what a chosen device said."""
        if outcome.device in self._chosen:
            self._screen.put(outcome)

    def tick(self, source: SourceReader) -> None:
        """Pass on."""
        self._screen.tick(source)

    def close(self, source: SourceReader) -> None:
        """Pass on."""
        self._screen.close(source)
