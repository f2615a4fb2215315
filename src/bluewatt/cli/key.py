"""`bluewatt key`: fetch the advertisement key of a device, prove it and save it; import, list and check keys."""

from __future__ import annotations

from collections.abc import AsyncIterable, Awaitable
from pathlib import Path
from typing import TypeVar

import click
from rich.text import Text

from bluewatt.app.lifetime import run_interruptible
from bluewatt.app.links import Target, open_link
from bluewatt.app.radios import frames_of, open_central
from bluewatt.cli.link_options import LINK_OPTIONS, link_options
from bluewatt.cli.option_rules import RuledCommand, excludes, needs
from bluewatt.cli.options import given_names, json_option
from bluewatt.errors import BluewattError, DeviceRefused, KeyProblem, LinkTimeout
from bluewatt.exports.terminal.key_tables import print_checks, print_keys
from bluewatt.exports.terminal.notices import notice
from bluewatt.exports.terminal.registers import console
from bluewatt.model.display import counted
from bluewatt.model.reading import Frame
from bluewatt.services.key_fetch import PROOF, Fetched, KeyChange, compare_keys, fetch_key, prove_key, save
from bluewatt.services.key_import import read_key_list
from bluewatt.services.key_list import KeyCheck, check_keys, list_keys
from bluewatt.services.keys import (
    NamedKey,
    default_path,
    holds_other_key,
    load_keys,
    save_key,
    save_network,
)
from bluewatt.services.network_key import Refused, compare_network, fetch_network, prove_network
from bluewatt.wire.instant_readout.cipher import ShortKey
from bluewatt.wire.printable import printable
from bluewatt.wire.vesmart.broadcast import Network

_T = TypeVar("_T")

_CHANGES = {
    KeyChange.NEW: "new",
    KeyChange.SAME: "the same as the one saved before",
    KeyChange.CHANGED: "another one than before, because the PIN of the device was changed since; the old key stays"
    " in the file as a comment",
}


_NETWORK_CHANGES = _CHANGES | {
    KeyChange.CHANGED: "another one than before, because the network was set up anew; the old key stays in the file as"
    " a comment"
}


RULES = (
    excludes("--import", "DEVICE", "--list", "--check", *LINK_OPTIONS),
    excludes("--list", "DEVICE", "--check", *LINK_OPTIONS),
    excludes("--check", "DEVICE", "--nearest", "--pin"),
    needs("--json", any_of=("--list", "--check")),
)

EXAMPLES = (
    ("key shunt --pin 014916", "fetch the key of a device, prove it and save it"),
    ("key --import keys.txt", "take the keys of a list of ADDRESS@KEY lines"),
    ("key --list", "whose keys are saved, without the keys"),
    ("key --check --timeout 30", "listen for thirty seconds, and say of each key whether it is right"),
)


@click.command("key", cls=RuledCommand, rules=RULES, examples=EXAMPLES)
@click.argument("device", required=False)
@click.option(
    "--import", "source", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
    help="Take the keys of devices and VE.Smart networks from VictronConnect's database (SQLite), or from a list of "
    "ADDRESS@KEY lines. No radio is used.",
)  # fmt: skip
@click.option(
    "--keys", "keys_file", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
    help="Use this key file. [default: keys.toml in your configuration folder]",
)  # fmt: skip
@click.option(
    "--list", "listing", is_flag=True,
    help="List whose keys the key file holds, with a fingerprint of each key and whether the PIN is known.",
)  # fmt: skip
@click.option("--check", is_flag=True, help="Listen for --timeout seconds, and say of each key whether it is right.")
@json_option("Print the list of --list or --check as JSON Lines.")
@link_options("source", "listing", "check")
def command(
    source: Path | None,
    keys_file: Path | None,
    listing: bool,
    check: bool,
    as_json: bool,
    target: Target,
) -> None:
    """Fetch the Instant Readout key of a device, without a phone, and save it once a live advertisement proves it.

    A member of a VE.Smart network is also asked for the key of the network, which is saved once it opens a live
    broadcast. The keys themselves are not printed: they are in the key file, which is readable by you alone.
    """
    path = keys_file or default_path()
    if source is not None:
        _import(source, path)
    elif listing:
        print_keys(list_keys(_existing(path)), as_json=as_json)
    elif check:
        keys = load_keys(_existing(path))
        if not keys:
            raise KeyProblem(f"there is no key of a device in {path}")
        print_checks(run_interruptible(_check(target, keys)), given_names(str(path)), as_json=as_json)
    else:
        run_interruptible(_fetch(target, path))


def _existing(path: Path) -> Path:
    """Return the path of the key file; KeyProblem if there is none."""
    if not path.exists():
        raise KeyProblem(f"there is no key file {path} yet: `bluewatt key DEVICE` fetches a key and makes it")
    return path


async def _check(target: Target, keys: list[NamedKey]) -> list[KeyCheck]:
    """Listen for what proves or refutes the keys."""
    async with open_central(target.radio) as central, frames_of(central) as frames:
        return await check_keys(keys, frames, seconds=target.timeout)


def _report_replaced(what: str, replaced: bool) -> None:
    if replaced:
        click.echo(f"{what}: another key was saved before; it was replaced and stays in the file as a comment")


def _import(source: Path, keys_file: Path) -> None:
    named, networks = read_key_list(source)
    if not named and not networks:
        raise KeyProblem(f"there is no key in {source}")
    if any(address is None for address, _ in named):
        raise KeyProblem(f"{source} has a key without an address: write ADDRESS@KEY")
    for address, key in named:
        _report_replaced(str(address), holds_other_key(str(address), key, keys_file))
        save_key(str(address), key, keys_file)
    for network in networks:
        replaced = compare_network(network, keys_file) is KeyChange.CHANGED
        _report_replaced(f"network {network.network_id.hex().upper()}", replaced)
        save_network(network, keys_file)
    parts = [counted(len(named), "key")] * bool(named) + [counted(len(networks), "network")] * bool(networks)
    click.echo(f"{' and '.join(parts)} saved in {keys_file}; `bluewatt key --check` says whether they are right")
    if short := sum(isinstance(key, ShortKey) for _, key in named):
        click.echo(
            f"the first digit of {counted(short, 'key')} is missing (31 are there): it is taken from an advertisement"
        )


async def _fetch(target: Target, keys_file: Path) -> None:
    """Ask for both keys over one link, then listen for what proves them; each is saved as soon as it is proved."""
    async with open_central(target.radio) as central:
        async with open_link(target, central) as link:
            name = link.device.name or link.device.address
            fetched = await _answer_or_error(fetch_key(link, pin=target.pin))
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


async def _answer_or_error(asked: Awaitable[_T]) -> _T | BluewattError:
    """Return the answer, or the error: the other key may still be had."""
    try:
        return await asked
    except (KeyProblem, DeviceRefused, LinkTimeout) as error:
        return error


async def _prove_key(
    name: str, fetched: Fetched, keys_file: Path, frames: AsyncIterable[Frame], seconds: float
) -> BluewattError | None:
    notice(f"{name} gave its key; listening for an advertisement that proves it")
    proof = await _answer_or_error(prove_key(fetched, frames, seconds=seconds))
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
    notice(f"{name} gave the key of the VE.Smart network {which}; listening for a broadcast that proves it")
    member = await _answer_or_error(prove_network(network, frames))
    if isinstance(member, BluewattError):
        notice(str(member))
        return
    change = compare_network(network, keys_file)
    path = save_network(network, keys_file)
    click.echo(f"the key of the VE.Smart network {which} is {_NETWORK_CHANGES[change]}")
    click.echo(f"proved by a broadcast of {member}, saved in {path}")
