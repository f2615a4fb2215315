"""`bluewatt key`: fetch a device's advertisement key, prove it on the air, save it; or import keys from elsewhere."""

from __future__ import annotations

from pathlib import Path

import click
from rich.text import Text

from bluewatt.app.connect import frames_of, open_central
from bluewatt.cli.linked import LINK_OPTIONS, Target, link_options, notice, open_link, quiet_run, target_of
from bluewatt.cli.option_rules import RuledCommand, excludes
from bluewatt.cli.shown import console
from bluewatt.errors import KeyProblem
from bluewatt.model.reading import Reading
from bluewatt.services.key_fetch import PROOF, Change, Fetched, compare, fetch_key, prove_key, save
from bluewatt.services.key_import import read_key_list
from bluewatt.services.keys import default_path, save_key
from bluewatt.wire.cipher import ShortKey

_CHANGES = {
    Change.NEW: "new: it was not known before",
    Change.SAME: "the same as the one saved before",
    Change.CHANGED: "another one than before: the PIN of the device was changed since, which makes a new key",
}


RULES = (excludes("--import", *LINK_OPTIONS),)


@click.command("key", cls=RuledCommand, rules=RULES)
@click.argument("device", required=False)
@click.option(
    "--import", "source", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
    help="Take keys from VictronConnect's database (SQLite) or from a list of ADDRESS@KEY lines; no radio is used.",
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

    The key itself is not printed: it stands in the key file, which only you may read.
    """
    if source is not None:
        if device is not None:
            raise click.UsageError("--import takes all keys of a file: name no device")
        _import(source, keys_file or default_path())
        return
    target = target_of(device, nearest=nearest, pin=pin, adapter=adapter, radio=radio, timeout=timeout)
    quiet_run(_fetch(target, keys_file or default_path()))


def _import(source: Path, keys_file: Path) -> None:
    named = read_key_list(source)
    if not named:
        raise KeyProblem(f"there is no key in {source}")
    short = 0
    for address, key in named:
        short += isinstance(key, ShortKey)
        if address is None:
            raise KeyProblem(f"{source} has a key without an address: write ADDRESS@KEY")
        save_key(address, key, keys_file)
    what = "1 key" if len(named) == 1 else f"{len(named)} keys"
    click.echo(f"{what} saved in {keys_file}; watch and scan prove them on the air")
    if short:
        click.echo(
            f"of {short} the first digit is missing (31 are there): watch and scan take it from an advertisement"
        )


async def _fetch(target: Target, keys_file: Path) -> None:
    async with open_central(target.radio) as central:
        async with open_link(target, central) as link:
            fetched = await fetch_key(link, pin=target.pin)
            name = link.device.name or link.device.address
        notice(f"{name} told its key; listening for an advertisement that proves it")
        async with frames_of(central) as frames:
            proof = await prove_key(fetched, frames, seconds=max(PROOF, target.timeout))
    change = compare(fetched, keys_file)
    path = save(fetched, keys_file)
    _report(name, fetched, change, path, proof)


def _report(name: str, fetched: Fetched, change: Change, path: Path, proof: Reading) -> None:
    screen = console()
    screen.print(Text(f"{name}  {fetched.addresses[0]}", "bold"))
    click.echo(f"the key is {_CHANGES[change]}")
    click.echo(f"proved by an advertisement of {proof.record.record_name}, saved in {path}")
