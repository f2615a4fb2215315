"""`bluewatt mode`: switch a charger or an inverter."""

from __future__ import annotations

import click

from bluewatt.app.links import Target
from bluewatt.cli.link_options import link_options
from bluewatt.cli.option_rules import RuledCommand, excludes
from bluewatt.cli.set import change, consent_options
from bluewatt.config import load_settings

MODES = ("on", "off", "eco")
"""The modes as they are typed."""


RULES = (excludes("--dry-run", "--yes"),)


EXAMPLES = (
    ("mode phoenix eco", "an inverter to eco; you are asked first"),
    ("mode roof off --dry-run", "the bytes that would switch a charger off"),
)


@click.command("mode", cls=RuledCommand, rules=RULES, examples=EXAMPLES)
@click.argument("arguments", nargs=-1, required=True, metavar="[DEVICE] on|off|eco")
@consent_options
@link_options()
def command(
    arguments: tuple[str, ...],
    dry_run: bool,
    yes: bool,
    target: Target,
) -> None:
    """Switch a charger on or off, or an inverter on, off or to eco.

    The settings file must allow "charger" or "inverter". The same as `bluewatt set DEVICE charger=...` or
    `bluewatt set DEVICE inverter=...`.
    """
    if len(arguments) != 1 or arguments[0] not in MODES:
        raise click.UsageError(f"write the device, then one of {', '.join(MODES)}")
    change(target, load_settings(), ("", arguments[0]), dry_run=dry_run, yes=yes)
