"""`bluewatt set`: change what may safely be changed, prove it by reading back, write it down."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

import click
from rich.table import Table

from bluewatt.cli.linked import Target, link_options, notice, target_of, with_link
from bluewatt.cli.shown import console, plain_text
from bluewatt.config import Settings, load_settings
from bluewatt.errors import Forbidden
from bluewatt.folders import state_folder
from bluewatt.services.audit import Audit
from bluewatt.services.commander import Commander, Plan
from bluewatt.tables.controls import CONTROLS
from bluewatt.tables.registers import by_key

if TYPE_CHECKING:
    from bluewatt.transports.ble_central import Central
    from bluewatt.transports.ble_link import BleLink

AUDIT_FILE = "audit.jsonl"
"""In the state folder."""


@click.command("set")
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
    """Plan, ask, write, read back, report; an empty name means the mode of the device."""

    async def work(link: BleLink, central: Central) -> None:
        audit = Audit(state_folder() / AUDIT_FILE)
        commander = Commander(link, allowed=settings.writable(link.device.address), audit=audit)
        _tell_unfinished(audit, link)
        if wish is None:
            plan = await commander.plan_undo(dry_run=dry_run)
        else:
            plan = await commander.plan(wish[0] or commander.mode_control(), wish[1], dry_run=dry_run)
        if dry_run:
            _print_plan(plan, link, settings)
            return
        held = await commander.execute(plan, lambda planned: _consent(planned, link, yes=yes))
        shown = "done" if held is None else f"{plain_text(plan.old)} → {plain_text(held.value)} {held.unit}".rstrip()
        click.echo(f"{plan.control.name}: {shown}")

    with_link(target, work, one_of_a_name=True)


def _tell_unfinished(audit: Audit, link: BleLink) -> None:
    left = audit.unfinished(link.device.address)
    if left:
        notice(
            f"an earlier change of {left.intent.control} to {left.intent.new} was interrupted: it may have been written"
            " (--undo takes it back)"
        )


def _print_plan(plan: Plan, link: BleLink, settings: Settings) -> None:
    allowed = plan.control.name in settings.writable(link.device.address)
    click.echo(f"{plan.control.name}: {plain_text(plan.old)} → {plain_text(plan.new)} {plan.row.unit}".rstrip())
    click.echo(f"bytes: {plan.message.hex(' ')}")
    click.echo(f"risk: {plan.control.risk}")
    click.echo("nothing was written" + ("" if allowed else "; the settings do not allow it to be written"))


async def _consent(plan: Plan, link: BleLink, *, yes: bool) -> bool:
    if yes:
        return True
    if not sys.stdin.isatty():
        raise Forbidden(f"{plan.control.name} was not changed: nobody is there to consent; add --yes")
    click.echo(f"{link.device.name or link.device.address}: {plan.control.name}", err=True)
    click.echo(f"  {plain_text(plan.old)} → {plain_text(plan.new)} {plan.row.unit}".rstrip(), err=True)
    click.echo(f"  {plan.control.risk}", err=True)
    click.echo("Type yes to change it: ", nl=False, err=True)
    return (await _typed_line()).strip().lower() == "yes"


async def _typed_line() -> str:
    """A line from the terminal. The loop runs on meanwhile: it keeps the link alive, and Ctrl-C ends the wait."""
    loop, typed = asyncio.get_running_loop(), asyncio.Event()
    try:
        loop.add_reader(sys.stdin, typed.set)
    except NotImplementedError:  # Windows
        return await asyncio.to_thread(sys.stdin.readline)
    try:
        await typed.wait()
    finally:
        loop.remove_reader(sys.stdin)
    return sys.stdin.readline()


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
