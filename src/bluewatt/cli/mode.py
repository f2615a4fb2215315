"""`bluewatt mode`: switch a charger or an inverter."""

from __future__ import annotations

import click

from bluewatt.cli.option_rules import RuledCommand, excludes
from bluewatt.cli.options import link_options, target_of
from bluewatt.cli.set import change
from bluewatt.config import load_settings

MODES = ("on", "off", "eco")


RULES = (excludes("--dry-run", "--yes"),)


@click.command("mode", cls=RuledCommand, rules=RULES)
@click.argument("arguments", nargs=-1, required=True, metavar="[DEVICE] on|off|eco")
@click.option("--dry-run", is_flag=True, help="Check everything and print the bytes, write nothing.")
@click.option("--yes", is_flag=True, help="Do not ask; for scripts.")
@link_options
def command(
    arguments: tuple[str, ...],
    dry_run: bool,
    yes: bool,
    nearest: bool,
    pin: str | None,
    adapter: str | None,
    radio: str | None,
    timeout: float,
) -> None:
    """Switch a charger on or off, an inverter on, off or to eco; the settings must allow "charger" or "inverter".

    The same as `bluewatt set DEVICE charger=…` or `inverter=…`.
    """
    *device, wanted = arguments
    if wanted not in MODES or len(device) > 1:
        raise click.UsageError(f"write the device, then one of {', '.join(MODES)}")
    settings = load_settings()
    name = device[0] if device else None
    target = target_of(name, nearest=nearest, pin=pin, adapter=adapter, radio=radio, timeout=timeout)
    change(target, settings, ("", wanted), dry_run=dry_run, yes=yes)
