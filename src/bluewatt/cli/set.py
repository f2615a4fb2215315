"""`bluewatt set`: change a setting that may safely be changed, read it back, and note it in the audit file."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click
from rich.table import Table

from bluewatt.app.links import Target, with_commander
from bluewatt.cli.link_options import LINK_OPTIONS, link_options
from bluewatt.cli.option_rules import RuledCommand, excludes, needs
from bluewatt.cli.options import UTC_OPTION, add_options, json_option
from bluewatt.config import Settings, load_settings
from bluewatt.exports.terminal.audit_log import new_text, print_log, write_log_json
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
"""The name of the audit file in the state folder."""


RULES = (
    excludes("--list", "ARGUMENTS", "--dry-run", "--yes", "--undo", "--log", *LINK_OPTIONS),
    excludes("--log", "--dry-run", "--yes", "--undo", *LINK_OPTIONS),
    excludes("--dry-run", "--yes"),
    needs("--json", "--utc", any_of=("--log",)),
)

EXAMPLES = (
    ("set --list", "what may be written, with limits and risks"),
    ("set roof float_voltage=13.6 --dry-run", "check a change and show its bytes; nothing is written"),
    ("set roof --undo", "take the last change of a device back"),
    ("set --log", "every change that was made, in words"),
)


def consent_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--dry-run` and `--yes`."""
    return add_options(
        command,
        (
            click.option("--dry-run", is_flag=True, help="Check everything and print the bytes, but write nothing."),
            click.option("--yes", is_flag=True, help="Write without asking first; for scripts."),
        ),
    )


@click.command("set", cls=RuledCommand, rules=RULES, examples=EXAMPLES)
@click.argument("arguments", nargs=-1, metavar="[DEVICE] [NAME=VALUE]")
@consent_options
@click.option("--undo", is_flag=True, help="Take the last change of this device back.")
@click.option("--list", "listing", is_flag=True, help="List what may be written, with limits and risks.")
@click.option("--log", is_flag=True, help="List the changes that were made, oldest first; of DEVICE, if it is given.")
@json_option("Print the list of --log as JSON Lines, one object per change.")
@UTC_OPTION
@link_options("listing", "log")
def command(
    arguments: tuple[str, ...],
    dry_run: bool,
    yes: bool,
    undo: bool,
    listing: bool,
    log: bool,
    as_json: bool,
    utc: bool,
    target: Target,
) -> None:
    """Change one setting of a device: NAME=VALUE, such as charger=off or float_voltage=13.5.

    Only what --list shows can be written, and only if the settings file allows it. Each change is read back and noted
    in an audit file with the old value.
    """
    if listing:
        return _print_controls()
    if log:
        return _print_log(arguments, as_json=as_json, utc=utc)
    change(target, load_settings(), _wish(arguments, undo=undo), dry_run=dry_run, yes=yes)


Wish = tuple[str, str] | None
"""The name and the value to write; None to take the last change back."""


def _wish(given: tuple[str, ...], *, undo: bool) -> Wish:
    if undo and not given:
        return None
    if undo or len(given) != 1 or "=" not in given[0]:
        raise click.UsageError("write one NAME=VALUE, or --undo alone")
    name, _, value = given[0].partition("=")
    return name.strip(), value.strip()


def change(target: Target, settings: Settings, wish: Wish, *, dry_run: bool, yes: bool) -> None:
    """Check a change, ask, write, read back and report; an empty name means the mode of the device."""

    async def work(commander: Commander) -> None:
        _report_unfinished(commander)
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

    with_commander(target, settings, _audit(), work)


def _audit() -> Audit:
    return Audit(state_folder() / AUDIT_FILE)


def _print_log(arguments: tuple[str, ...], *, as_json: bool, utc: bool) -> None:
    if len(arguments) > 1:
        raise click.UsageError("--log takes one DEVICE at most")
    audit = _audit()
    changes = [change for change in audit.all_changes() if not arguments or change.is_of(arguments[0])]
    if as_json:
        write_log_json(changes)
    elif changes:
        print_log(changes, utc=utc)
    else:
        notice(f"no change is noted in {audit.path}" + (f" for {arguments[0]}" if arguments else ""))


def _report_unfinished(commander: Commander) -> None:
    left = commander.audit.unfinished(commander.link.device.address)
    if left:
        notice(
            f"an earlier change of {left.intent.control} to {new_text(left)} was interrupted: it may have been written"
            " (--undo takes it back)"
        )


def _print_plan(plan: WritePlan, commander: Commander) -> None:
    click.echo(f"{plan.control.name}: {plain_text(plan.old)} → {plain_text(plan.new)} {plan.row.unit}".rstrip())
    click.echo(f"bytes: {plan.message.hex(' ')}")
    click.echo(f"risk: {plan.control.risk}")
    if plan.no_way_back:
        click.echo(f"no undo: {plan.no_way_back}")
    allowed = plan.control.name in commander.allowed
    advice = "" if allowed else f"; to allow it, {commander.how_to_allow(plan.control.name)}"
    click.echo(f"nothing was written{advice}")


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
