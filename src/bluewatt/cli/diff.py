"""`bluewatt diff A B`: which registers changed between two captures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import click
import msgspec

from bluewatt.app.decoding.contents import DecodeKeys, decode_input
from bluewatt.app.decoding.summary import DecodeSummary
from bluewatt.cli.option_rules import RuledCommand
from bluewatt.cli.options import json_option, keys_options
from bluewatt.errors import CaptureError
from bluewatt.model.dialogue.comparison import DeviceRegister, Difference, RegisterHistory, compare, register_histories
from bluewatt.model.dialogue.sentences import value_words
from bluewatt.model.register_values import RegisterValue
from bluewatt.services.keys import gather_networks, named_keys
from bluewatt.transports.capture.input import Input

EXAMPLES = (
    ("diff before.btsnoop after.btsnoop", "the registers that differ, as a table"),
    ("diff before.btsnoop after.btsnoop --all --json", "all of them, as JSON Lines"),
)


@click.command("diff", cls=RuledCommand, examples=EXAMPLES)
@click.argument("before")
@click.argument("after")
@keys_options
@json_option("Print JSON Lines, one object per register.")
@click.option(
    "--all",
    "everything",
    is_flag=True,
    help="Show also what changes all the time, and what only one of the files holds.",
)
@click.option("--reveal", is_flag=True, help="Show keys and PINs that are in the captures. [default: hidden]")
def command(
    before: str, after: str, keys: tuple[str, ...], keys_file: str | None, as_json: bool, everything: bool, reveal: bool
) -> None:
    """Show which registers differ between two captures.

    Record one, change a setting in the app, record another: what differs is what the setting does. BEFORE and AFTER are
    captures of a connection, in any form that `bluewatt decode` reads.
    """
    secrets = DecodeKeys(named_keys(keys, keys_file), gather_networks(keys_file), reveal)
    found = compare(_registers_in(before, secrets), _registers_in(after, secrets))
    shown = [one for one in found if everything or (one.changed and not one.busy)]
    for line in _json(shown, reveal) if as_json else _lines(shown, len(found) - len(shown), reveal):
        click.echo(line)


def _registers_in(path: str, secrets: DecodeKeys) -> dict[DeviceRegister, RegisterHistory]:
    with Input(path) as source:
        found = register_histories(decode_input(source, secrets, DecodeSummary()))
    if not found:
        raise CaptureError(f"{path}: there is no register of a device in it", path=path)
    return found


def _json(found: Sequence[Difference], reveal: bool) -> Iterator[str]:
    for one in found:
        address, instance, register = one.place
        line: dict[str, Any] = {
            "kind": "difference", "device": {"address": address}, "instance": instance,
            "register": f"0x{register:04X}", "key": one.value.key, "unit": one.value.unit,
            "before": _json_value(one.before, reveal), "after": _json_value(one.after, reveal),
            "busy": one.busy, "written": one.written,
        }  # fmt: skip
        yield msgspec.json.encode(line).decode()


def _json_value(value: RegisterValue | None, reveal: bool) -> dict[str, Any] | None:
    if value is None:
        return None
    fields = value.as_json(reveal=reveal)
    return {name: fields[name] for name in ("raw", "value")}


def _lines(found: Sequence[Difference], left_out: int, reveal: bool) -> Iterator[str]:
    rows = [("Register", "Name", "Before", "After", "")]
    for one in found:
        note = "written" if one.written else "changes all the time" if one.busy else ""
        rows.append((f"0x{one.place[2]:04X}", one.value.key, _word(one.before, reveal), _word(one.after, reveal), note))
    if found:
        widths = [max(len(row[column]) for row in rows) for column in range(4)]
        for row in rows:
            cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
            yield "  ".join((*cells, row[4])).rstrip()
    else:
        yield "No setting differs."
    if left_out:
        yield f"\n{left_out} more change all the time or are in one file only: --all shows them"


def _word(value: RegisterValue | None, reveal: bool) -> str:
    return "–" if value is None else value_words(value, reveal=reveal)
