"""The keys of the key file as tables and JSON Lines, never with the keys themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
from rich.table import Table
from rich.text import Text

from bluewatt.exports.jsonlines import write_json
from bluewatt.exports.terminal.registers import console
from bluewatt.model.display import ABSENT
from bluewatt.services.key_list import NO_VALUES, NOT_HEARD, RIGHT, UNPROVEN, WRONG, KeyCheck, ListedKey
from bluewatt.wire.printable import printable

_EVERY_DEVICE = "any device"
_VERDICTS = {
    RIGHT: "right",
    WRONG: "wrong: fetch it again with `bluewatt key`",
    UNPROVEN: "too little was heard to tell: listen longer with --timeout",
    NO_VALUES: "heard, but Instant Readout is off: switch it on in the app",
    NOT_HEARD: "not heard",
}
"""Verdicts in words."""

_encode = msgspec.json.Encoder().encode


def print_keys(listed: Sequence[ListedKey], *, as_json: bool) -> None:
    """Print whose keys they are, their fingerprints, and whether the PIN of the device is known."""
    if as_json:
        for key in listed:
            write_json(_encode({"kind": "key"} | msgspec.structs.asdict(key)))
        return
    table = _table("Device", "Name", "Fingerprint", "PIN")
    for key in listed:
        owner = f"network {key.network}" if key.network else key.address or _EVERY_DEVICE
        pin = ABSENT if key.network or not key.address else "known" if key.pin_known else "not known"
        table.add_row(owner, Text(printable(key.name)), key.fingerprint or "first digit missing", pin)
    console().print(table)


def print_checks(checks: Sequence[KeyCheck], names: Mapping[str, str], *, as_json: bool) -> None:
    """Print of each key whether it is right."""
    if as_json:
        for check in checks:
            name = names.get(check.address or "")
            write_json(_encode({"kind": "key_check", "address": check.address, "name": name, "verdict": check.verdict}))
        return
    table = _table("Device", "Name", "Key")
    for check in checks:
        name = printable(names.get(check.address or "", ""))
        table.add_row(check.address or _EVERY_DEVICE, Text(name), _VERDICTS[check.verdict])
    console().print(table)


def _table(*columns: str) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    return table
