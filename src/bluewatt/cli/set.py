"""`bluewatt set`: change what may safely be changed, prove it by reading back, write it down."""

from __future__ import annotations

import click
from rich.table import Table

from bluewatt.app.links import Target, with_commander
from bluewatt.cli.option_rules import RuledCommand, excludes
from bluewatt.cli.options import LINK_OPTIONS, link_options, target_of
from bluewatt.config import Settings, load_settings
from bluewatt.exports.terminal.consent import consent_of
from bluewatt.exports.terminal.notices import notice
from bluewatt.exports.terminal.registers import console
from bluewatt.folders import state_folder
from bluewatt.model.display import plain_text
from bluewatt.services.audit import Audit
from bluewatt.services.commander import Commander
from bluewatt.services.write_gates import WritePlan
from bluewatt.tables.controls import CONTROLS
from bluewatt.tables.registers import by_key

AUDIT_FILE = "audit.jsonl"
"""In the state folder."""


RULES = (
    excludes("--list", "ARGUMENTS", "--dry-run", "--yes", "--undo", *LINK_OPTIONS),
    excludes("--dry-run", "--yes"),
)


@click.command("set", cls=RuledCommand, rules=RULES)
@click.argument("arguments", nargs=-1, metavar="[DEVICE] [NAME=VALUE]")
@click.option("--dry-run", is_flag=True, help="Check everything and print the bytes, write nothing.")
@click.option("--yes", is_flag=True, help="Do not ask; for scripts.")
@click.option("--undo", is_flag=True, help="Take the last change of this device back.")
@click.option("--list", "listing", is_flag=True, help="List what may be written, with limits and risks.")
@link_options
def command(
    arguments: tuple[str, ...],
    dry_run: bool,
    yes: bool,
    undo: bool,
    listing: bool,
    nearest: bool,
    pin: str | None,
    adapter: str | None,
    radio: str | None,
    timeout: float,
) -> None:
    """Change one setting of a device: NAME=VALUE, such as charger=off or float_voltage=13.5.

    Only what --list shows can be written, and only what the settings file allows. Each change is read back and kept in
    an audit file with its old value.
    """
    if listing:
        _print_controls()
        return
    settings = load_settings()
    given = list(arguments)
    device = None if nearest or not given else given.pop(0)
    target = target_of(device, nearest=nearest, pin=pin, adapter=adapter, radio=radio, timeout=timeout)
    wish = _wish(given, undo=undo)
    change(target, settings, wish, dry_run=dry_run, yes=yes)


Wish = tuple[str, str] | None
"""Name and value; None to take the last change back."""


def _wish(given: list[str], *, undo: bool) -> Wish:
    if undo and not given:
        return None
    if undo or len(given) != 1 or "=" not in given[0]:
        raise click.UsageError("write one NAME=VALUE, or --undo alone")
    name, _, value = given[0].partition("=")
    return name.strip(), value.strip()


def change(target: Target, settings: Settings, wish: Wish, *, dry_run: bool, yes: bool) -> None:
    """Check, ask, write, read back, report; an empty name means the mode of the device."""

    async def work(commander: Commander) -> None:
        _tell_unfinished(commander)
        name, text = wish or ("", "")
        if wish and not name:
            name = commander.mode_control()
        if dry_run:
            _print_plan(await (commander.preview(name, text) if wish else commander.preview_undo()), commander)
            return
        agree = consent_of(commander.link.device, yes=yes)
        done = await (commander.change(name, text, agree) if wish else commander.undo(agree))
        held, old = done.held, plain_text(done.plan.old)
        shown = "done" if held is None else f"{old} → {plain_text(held.value)} {held.unit}".rstrip()
        click.echo(f"{done.plan.control.name}: {shown}")

    with_commander(target, settings, Audit(state_folder() / AUDIT_FILE), work)


def _tell_unfinished(commander: Commander) -> None:
    left = commander.audit.unfinished(commander.link.device.address)
    if left:
        notice(
            f"an earlier change of {left.intent.control} to {left.intent.new} was interrupted: it may have been written"
            " (--undo takes it back)"
        )


def _print_plan(plan: WritePlan, commander: Commander) -> None:
    click.echo(f"{plan.control.name}: {plain_text(plan.old)} → {plain_text(plan.new)} {plan.row.unit}".rstrip())
    click.echo(f"bytes: {plan.message.hex(' ')}")
    click.echo(f"risk: {plan.control.risk}")
    if plan.no_way_back:
        click.echo(f"no undo: {plan.no_way_back}")
    allowed = plan.control.name in commander.allowed
    click.echo("nothing was written" + ("" if allowed else "; the settings do not allow it to be written"))


def _print_controls() -> None:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    for column in ("Name", "Devices", "Values", "Risk"):
        table.add_column(column, overflow="fold", no_wrap=column == "Name")
    for row in CONTROLS:
        found = by_key(row.register, row.families[0])
        unit = found.unit if found else ""
        limits = f"{row.low:g} to {row.high:g} {unit}" if row.low is not None and row.high is not None else "a text"
        if row.per_nominal:
            limits += " at 12 V"
        table.add_row(row.name, ", ".join(row.families), ", ".join(row.words) or limits, row.risk)
    console().print(table)
