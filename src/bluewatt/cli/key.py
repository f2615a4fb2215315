"""`bluewatt key`: fetch a device's advertisement key, prove it on the air, save it; or import keys from elsewhere."""

from __future__ import annotations

from collections.abc import AsyncIterable, Awaitable
from pathlib import Path
from typing import TypeVar

import click
from rich.text import Text

from bluewatt.app.lifetime import run_interruptible
from bluewatt.app.links import Target, open_link
from bluewatt.app.radios import frames_of, open_central
from bluewatt.cli.option_rules import RuledCommand, excludes
from bluewatt.cli.options import LINK_OPTIONS, link_options, target_of
from bluewatt.errors import BluewattError, DeviceRefused, KeyProblem, LinkTimeout
from bluewatt.exports.terminal.notices import notice
from bluewatt.exports.terminal.registers import console
from bluewatt.model.display import counted
from bluewatt.model.reading import Frame
from bluewatt.services.key_fetch import PROOF, Fetched, KeyChange, compare_keys, fetch_key, prove_key, save
from bluewatt.services.key_import import read_key_list
from bluewatt.services.keys import default_path, holds_other_key, save_key, save_network
from bluewatt.services.network_key import Refused, compare_network, fetch_network, prove_network
from bluewatt.wire.instant_readout.cipher import ShortKey
from bluewatt.wire.printable import printable
from bluewatt.wire.vesmart.broadcast import Network

_T = TypeVar("_T")

_CHANGES = {
    KeyChange.NEW: "new: it was not known before",
    KeyChange.SAME: "the same as the one saved before",
    KeyChange.CHANGED: "another one than before, which was replaced and stays in the file as a comment: the PIN of the"
    " device was changed since, which makes a new key",
}


_NETWORK_CHANGES = _CHANGES | {
    KeyChange.CHANGED: "another one than before, which was replaced and stays in the file as a comment: the network was"
    " made anew since"
}


RULES = (excludes("--import", *LINK_OPTIONS),)


@click.command("key", cls=RuledCommand, rules=RULES)
@click.argument("device", required=False)
@click.option(
    "--import", "source", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
    help="Take keys of devices and VE.Smart networks from VictronConnect's database (SQLite), or from a list of "
    "ADDRESS@KEY lines; no radio is used.",
)  # fmt: skip
@click.option(
    "--keys", "keys_file", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
    help="Save into this key file. [default: the one in your configuration folder]",
)  # fmt: skip
@link_options
def command(
    device: str | None,
    source: Path | None,
    keys_file: Path | None,
    nearest: bool,
    pin: str | None,
    adapter: str | None,
    radio: str | None,
    timeout: float,
) -> None:
    """Fetch the Instant Readout key of a device, without a phone, and save it once a live advertisement proved it.

    A member of a VE.Smart network is asked for the network's key as well, which is saved once it opened a live
    broadcast. The keys themselves are not printed: they stand in the key file, which only you may read.
    """
    if source is not None:
        if device is not None:
            raise click.UsageError("--import takes all keys of a file: name no device")
        _import(source, keys_file or default_path())
        return
    target = target_of(device, nearest=nearest, pin=pin, adapter=adapter, radio=radio, timeout=timeout)
    run_interruptible(_fetch(target, keys_file or default_path()))


def _tell_replaced(what: str, replaced: bool) -> None:
    if replaced:
        click.echo(f"{what}: replaced, another key was saved before; it stays in the file as a comment")


def _import(source: Path, keys_file: Path) -> None:
    named, networks = read_key_list(source)
    if not named and not networks:
        raise KeyProblem(f"there is no key in {source}")
    if any(address is None for address, _ in named):
        raise KeyProblem(f"{source} has a key without an address: write ADDRESS@KEY")
    for address, key in named:
        _tell_replaced(str(address), holds_other_key(str(address), key, keys_file))
        save_key(str(address), key, keys_file)
    for network in networks:
        replaced = compare_network(network, keys_file) is KeyChange.CHANGED
        _tell_replaced(f"network {network.network_id.hex().upper()}", replaced)
        save_network(network, keys_file)
    parts = [counted(len(named), "key")] * bool(named) + [counted(len(networks), "network")] * bool(networks)
    click.echo(f"{' and '.join(parts)} saved in {keys_file}; watch and scan prove them on the air")
    if short := sum(isinstance(key, ShortKey) for _, key in named):
        click.echo(
            f"of {short} the first digit is missing (31 are there): watch and scan take it from an advertisement"
        )


async def _fetch(target: Target, keys_file: Path) -> None:
    """Ask for both keys over one link, then listen for what proves them; each is saved as soon as it is proved."""
    async with open_central(target.radio) as central:
        async with open_link(target, central) as link:
            name = link.device.name or link.device.address
            fetched = await _tried(fetch_key(link, pin=target.pin))
            network = await fetch_network(link)
        problem = None if isinstance(fetched, Fetched) else fetched
        if isinstance(fetched, Fetched) or isinstance(network, Network):
            async with frames_of(central) as frames:
                if isinstance(fetched, Fetched):
                    problem = await _prove_key(name, fetched, keys_file, frames, max(PROOF, target.timeout))
                if isinstance(network, Network):
                    await _prove_network(name, network, keys_file, frames)
    if isinstance(network, Refused):
        notice(f"{name} {network.why}")
    if problem is not None:
        raise problem


async def _tried(asked: Awaitable[_T]) -> _T | BluewattError:
    """What comes of asking, or the error: the other key may still be had."""
    try:
        return await asked
    except (KeyProblem, DeviceRefused, LinkTimeout) as error:
        return error


async def _prove_key(
    name: str, fetched: Fetched, keys_file: Path, frames: AsyncIterable[Frame], seconds: float
) -> BluewattError | None:
    notice(f"{name} told its key; listening for an advertisement that proves it")
    proof = await _tried(prove_key(fetched, frames, seconds=seconds))
    if isinstance(proof, BluewattError):
        return proof
    change = compare_keys(fetched, keys_file)
    path = save(fetched, keys_file)
    console().print(Text(f"{name}  {fetched.addresses[0]}", "bold"))
    click.echo(f"the key is {_CHANGES[change]}")
    click.echo(f"proved by an advertisement of {proof.record.record_name}, saved in {path}")
    return None


async def _prove_network(name: str, network: Network, keys_file: Path, frames: AsyncIterable[Frame]) -> None:
    which = f"{network.network_id.hex().upper()} {printable(network.name)}".rstrip()
    notice(f"{name} told the key of the VE.Smart network {which}; listening for a broadcast that proves it")
    member = await _tried(prove_network(network, frames))
    if isinstance(member, BluewattError):
        notice(str(member))
        return
    change = compare_network(network, keys_file)
    path = save_network(network, keys_file)
    click.echo(f"the key of the VE.Smart network {which} is {_NETWORK_CHANGES[change]}")
    click.echo(f"proved by a broadcast of {member}, saved in {path}")
