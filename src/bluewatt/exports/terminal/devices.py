"""Tables for people: all devices in a line each, or one device in full. Fits 80 columns; colours tell the state."""

from __future__ import annotations

import io
from collections.abc import Iterable
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from bluewatt.model.dialogue.sentences import value_words
from bluewatt.model.display import (
    ABSENT,
    age_text,
    headline,
    label,
    register_label,
    state_text,
    trouble,
    type_title,
    value_text,
    visible_values,
)
from bluewatt.model.presence import PresenceState
from bluewatt.model.reading import Reading
from bluewatt.model.roster import Roster, RosterEntry
from bluewatt.schema import Row
from bluewatt.tables.products import product_name
from bluewatt.wire.printable import printable

NARROWEST = 80
PLAIN_WIDTH = 110
"""Columns where output is no terminal."""
_STATE, _RSSI, _AGE = 15, 4, 5
_GAPS = 2
_SHAPES = ((120, 24, 24), (104, 20, 22), (0, 20, 0))
"""From which width on, how wide the name and what the device is are (0: not shown), widest first."""


def device_name(entry: RosterEntry) -> str:
    """The name a device gives itself, else its product and the end of its address."""
    device = entry.device
    if device.name:
        return printable(device.name)
    return f"{_product(entry)} {device.address[-5:]}" if device.product_id is not None else device.address


def _product(entry: RosterEntry) -> str:
    return product_name(entry.device.product_id) if entry.device.product_id is not None else ABSENT


def _kind(entry: RosterEntry) -> str:
    """What a device is: its product, which its name often repeats, and its record."""
    if entry.reading is None and (entry.silent is None or entry.silent.record_type is None):
        return _product(entry)
    name = _product(entry)
    return name if name != ABSENT and name not in device_name(entry) else type_title(_record_type(entry))


def _record_type(entry: RosterEntry) -> int | None:
    if entry.reading is not None:
        return entry.reading.record.record_type
    return entry.silent.record_type if entry.silent else None


def devices_table(roster: Roster, now: float, *, width: int, counts: bool = False) -> Table:
    """All devices, nearest first, a line each: name, kind where there is room, state, values or why there are none."""
    name, kind = next(shape[1:] for shape in _SHAPES if width >= shape[0])
    table = Table(box=None, padding=(0, _GAPS, 0, 0), pad_edge=False, header_style="bold", expand=False)
    table.add_column("Device", no_wrap=True, width=name, overflow="ellipsis")
    if kind:
        table.add_column("What", no_wrap=True, width=kind, overflow="ellipsis")
    table.add_column("State", no_wrap=True, width=_STATE, overflow="ellipsis")
    room = width - name - _STATE - _RSSI - _AGE - 4 * _GAPS - ((kind + _GAPS) if kind else 0)
    table.add_column("Values", width=room, overflow="fold")
    table.add_column("dBm", justify="right", width=_RSSI)
    table.add_column("Heard" if counts else "Age", justify="right", width=_AGE)
    for entry in roster.nearest_first():
        last = str(entry.frames) if counts else age_text(entry.presence.age(now))
        cells: list[RenderableType] = [Text(device_name(entry)), *([Text(_kind(entry), "dim")] if kind else [])]
        values = _values(entry, now, room)
        if not counts and (hint := entry.hint(now)):  # counts are of a capture, whose "now" is long over
            values.append(f"\n{hint}", "dim")
        cells += [_state(entry, now), values, _strength(entry), Text(last, "dim")]
        table.add_row(*cells)
    return table


def _state(entry: RosterEntry, now: float) -> Text:
    if entry.reading is None:
        return Text(type_title(_record_type(entry)) if _record_type(entry) is not None else ABSENT, "dim")
    record = entry.reading.record
    if entry.presence.state(now) is not PresenceState.SEEN:
        return Text(entry.presence.state(now).value, "yellow")
    if trouble(record):
        return Text(trouble(record)[0], "bold red")
    state = state_text(record)
    return Text(state or type_title(record.record_type), "green" if state and state != "Off" else "dim")


def _values(entry: RosterEntry, now: float, room: int) -> Text:
    why = entry.why(now)
    if entry.reading is None and entry.network:
        return _network_values(entry, why, room, stale=entry.presence.state(now) is not PresenceState.SEEN)
    if entry.reading is None:
        return Text(why or "the key is being checked", "yellow")
    stale = entry.presence.state(now) is not PresenceState.SEEN
    text = _fitting(headline(entry.reading.record), room) or type_title(entry.reading.record.record_type)
    if why and not stale:
        return Text.assemble((text, "dim"), "\n", (why, "yellow"))
    return Text(text, "dim" if stale else "")


def _network_values(entry: RosterEntry, why: str | None, room: int, *, stale: bool) -> Text:
    """What a device told its VE.Smart network: what is measured first, then what has no unit, by name."""
    told = sorted(entry.network.values(), key=lambda value: not value.unit or value.value is None)
    parts = (value_words(value) if value.unit else f"{register_label(value)} {value_words(value)}" for value in told)
    text = _fitting(parts, room) or "VE.Smart networking"
    if why and not stale:
        return Text.assemble((text, "dim"), "\n", (why, "yellow"))
    return Text(text, "dim" if stale else "")


def _fitting(parts: Iterable[str], room: int) -> str:
    """As many parts as fit into a line, the first ones."""
    line = ""
    for part in parts:
        longer = f"{line}  {part}" if line else part
        if len(longer) > room:
            break
        line = longer
    return line


def _strength(entry: RosterEntry) -> Text:
    return Text(ABSENT if entry.rssi is None else f"{entry.rssi:.0f}")


def device_panel(entry: RosterEntry, now: float, *, width: int) -> RenderableType:
    """One device with everything it says."""
    signal = ABSENT if entry.rssi is None else f"{entry.rssi:.0f} dBm"
    head = Text.assemble(
        (device_name(entry), "bold"),
        (f"  {_product(entry)}  {entry.device.address}  {signal}  {age_text(entry.presence.age(now))} ago", "dim"),
    )
    head.truncate(width, overflow="ellipsis")
    why = entry.why(now)
    lines: list[RenderableType] = [head, *([Text(f"  {why}", "yellow")] if why else [])]
    if hint := entry.hint(now):
        lines.append(Text(f"  {hint}", "dim"))
    if entry.reading is not None:
        grid = Table.grid(padding=(0, _GAPS))
        for row, value in visible_values(entry.reading.record):
            grid.add_row(f"  {escape(label(row))}", _value(row, value, entry.reading))
        lines.append(grid)
    if entry.network:
        grid = Table.grid(padding=(0, _GAPS))
        for told in entry.network.values():
            grid.add_row(f"  {escape(register_label(told))}", Text(value_words(told)))
        lines.append(grid)
    return Group(*lines, Text(""))


def _value(row: Row, value: Any, reading: Reading) -> Text:
    if row.name in reading.rejected:
        return Text(f"not believed: {value_text(row, reading.rejected[row.name])}", "yellow")
    if row.name in reading.doubtful:
        return Text(f"{value_text(row, value)}  (doubtful)", "yellow")
    return Text(value_text(row, value), "dim" if value is None else "")


def status_line(roster: Roster, frames: int, *, mode: str, ending: str) -> Text:
    """The line under a live table."""
    devices = len(roster.entries)
    parts = [f"{devices} device{'' if devices == 1 else 's'}", f"{frames} advertisements", ending, mode]
    return Text("  ·  ".join(filter(None, parts)), "dim", no_wrap=True, overflow="ellipsis")


def plain_table(roster: Roster, now: float, *, counts: bool = False) -> str:
    """The table of all devices as text for standard output, with colours where that is a terminal."""
    console = Console()
    width = max(console.width, NARROWEST) if console.is_terminal else PLAIN_WIDTH
    out = io.StringIO()
    target = Console(file=out, width=width, force_terminal=console.is_terminal, no_color=console.no_color)
    target.print(devices_table(roster, now, width=width, counts=counts))
    return "".join(f"{line.rstrip()}\n" for line in out.getvalue().splitlines())
