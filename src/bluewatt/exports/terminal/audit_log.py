"""The audit file in words, and as JSON Lines: what was changed on which device, and what came of it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress

import msgspec
from rich.table import Table
from rich.text import Text

from bluewatt.exports.jsonlines import write_json
from bluewatt.exports.terminal.registers import console
from bluewatt.model.display import ABSENT, register_text
from bluewatt.model.json_objects import calendar_second, utc_text
from bluewatt.model.register_values import explain_register
from bluewatt.services.audit import AuditedChange, AuditRecord
from bluewatt.tables.controls import CONTROLS, Control
from bluewatt.wire.printable import printable

_OUTCOMES = {
    "done": "done",
    "refused": "refused by the device",
    "differs": "the device holds another value",
    "unknown": "not known whether it was written",
    "": "interrupted: not known whether it was written",
}
"""The outcome of a change, in words; empty for a change without a result."""

_encode = msgspec.json.Encoder().encode


def print_log(changes: Sequence[AuditedChange], *, utc: bool) -> None:
    """Print a table of changes; times are local, or in UTC and then end with Z."""
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    for column in ("Time", "Device", "Setting", "Old", "New", "Result"):
        table.add_column(column, no_wrap=column == "Time", overflow="fold")
    for change in changes:
        intent = change.intent
        device = " ".join(filter(None, (printable(intent.name), intent.device)))
        cells = (device, intent.control, old_text(change), new_text(change), _result_text(change))
        table.add_row(_time_text(intent.at, utc=utc), *(Text(cell) for cell in cells))
    console().print(table)


def write_log_json(changes: Sequence[AuditedChange]) -> None:
    """Print an object per change: the rows of the audit file with their values in words."""
    for change in changes:
        intent, result = change.intent, change.result
        write_json(
            _encode(
                {
                    "kind": "change", "at": utc_text(intent.at), "id": intent.id,
                    "device": {"address": intent.device, "name": intent.name or None},
                    "control": intent.control, "register": intent.register, "instance": intent.instance,
                    "old": old_text(change) if intent.old is not None else None, "new": new_text(change),
                    "outcome": result.outcome if result else None,
                    "read_back": _content(intent, result.read_back) if result and result.read_back else None,
                    "detail": result.detail if result else "", "undoes": intent.undoes or None,
                }
            )
        )  # fmt: skip


def old_text(change: AuditedChange) -> str:
    """Return the value that the device held before a change, in words."""
    return ABSENT if change.intent.old is None else _content(change.intent, change.intent.old)


def new_text(change: AuditedChange) -> str:
    """Return the value that was to be written, in words."""
    return _content(change.intent, change.intent.new)


def _result_text(change: AuditedChange) -> str:
    outcome = change.result.outcome if change.result else ""
    text = _OUTCOMES.get(outcome, outcome)
    if change.result and change.result.read_back and outcome == "differs":
        text += f": {_content(change.intent, change.result.read_back)}"
    return f"{text} (taking an earlier change back)" if change.intent.undoes else text


def _content(intent: AuditRecord, digits: str) -> str:
    """Return the content of a register, which the file has in hex digits, as `set` shows it: a word, or with unit."""
    control = next((row for row in CONTROLS if row.name == intent.control and _is_of(row, intent)), None)
    with suppress(ValueError):
        value = explain_register(
            int(intent.register, 16), bytes.fromhex(digits), control.families[0] if control else None
        )
        words = [word for word, number in control.words.items() if number == value.value] if control else []
        return words[0] if words else f"{register_text(value)} {value.unit}".rstrip()
    return printable(digits)


def _is_of(control: Control, intent: AuditRecord) -> bool:
    return control.row(control.families[0]).id_text == intent.register


def _time_text(at: float, *, utc: bool) -> str:
    second = calendar_second(at)
    return time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime(second)) if utc else time.strftime(
        "%Y-%m-%d %H:%M:%S", time.localtime(second)
    )  # fmt: skip
