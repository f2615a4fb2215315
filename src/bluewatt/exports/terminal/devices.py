"""Tables for people: all devices in a line each, or one device in full. Colours tell the state."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from bluewatt.exports.terminal.layout import GAP, Widths, output_width, table_widths
from bluewatt.exports.terminal.names import NO_NAMES, given_name
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

_STATE_PLACE = 2
"""The number of values before the state, if the state has no column of its own."""


def device_name(entry: RosterEntry, names: Mapping[str, str] = NO_NAMES) -> str:
    """Return the name the user gave a device, else its own, else its product and the end of its address."""
    device = entry.device
    if name := given_name(device.address, names) or device.name:
        return printable(name)
    return f"{_product(entry)} {device.address[-5:]}" if device.product_id is not None else device.address


def _product(entry: RosterEntry) -> str:
    return product_name(entry.device.product_id) if entry.device.product_id is not None else ABSENT


def _kind(entry: RosterEntry) -> str:
    """Return what a device is: its product, or its record if the name says the product already."""
    if _record_type(entry) is None:
        return _product(entry)
    name = _product(entry)
    return name if name != ABSENT and name not in device_name(entry) else type_title(_record_type(entry))


def _record_type(entry: RosterEntry) -> int | None:
    if entry.reading is not None:
        return entry.reading.record.record_type
    return entry.silent.record_type if entry.silent else None


class DevicesTable:
    """All devices, nearest first, a line each: name, kind, state, values or why there are none, strength, age.

    With `counts` the last column counts advertisements: ages mean nothing for a capture that ended long ago.
    `names` are names the user gave, by address.
    """

    def __init__(
        self, roster: Roster, now: float, *, width: int, counts: bool = False, names: Mapping[str, str] = NO_NAMES
    ) -> None:
        self.entries = roster.nearest_first()
        self._now = now
        self._counts = counts
        self._names = names
        self._widths = table_widths(
            width,
            name=_longest("Device", (device_name(entry, names) for entry in self.entries)),
            what=_longest("What", map(_kind, self.entries)),
            state=_longest("State", (_state(entry, now).plain for entry in self.entries)),
        )

    def first(self, count: int | None = None) -> Table:
        """Return the table of the nearest `count` devices; of all if it is None."""
        widths = self._widths
        table = Table(box=None, padding=(0, GAP, 0, 0), pad_edge=False, header_style="bold", expand=False)
        columns = ("Device", "What", "State", "Values", "dBm", "Heard" if self._counts else "Age")
        for title, width in zip(columns, widths, strict=True):
            values = title == "Values"
            right = title in ("dBm", columns[-1])
            if width:
                table.add_column(
                    title, no_wrap=not values, width=width, overflow="fold" if values else "ellipsis",
                    justify="right" if right else "left",
                )  # fmt: skip
        for entry in self.entries[:count]:
            cells = zip(self._cells(entry), widths, strict=True)
            table.add_row(*(cell for cell, width in cells if width))
        return table

    def _cells(self, entry: RosterEntry) -> Sequence[RenderableType]:
        last = str(entry.frames) if self._counts else age_text(entry.presence.age(self._now))
        values = _values(entry, self._now, self._widths)
        if not self._counts and (hint := entry.hint(self._now)):
            values.append(f"\n{hint}", "dim")
        name = Text(device_name(entry, self._names))
        state = _state(entry, self._now)
        return name, Text(_kind(entry), "dim"), state, values, _strength(entry), Text(last, "dim")


def _longest(title: str, texts: Iterable[str]) -> int:
    """Return the length of the longest text of a column, its title included."""
    return max(len(title), *map(len, texts), 0)


def devices_table(
    roster: Roster, now: float, *, width: int, counts: bool = False, names: Mapping[str, str] = NO_NAMES
) -> Table:
    """Return the table of all devices; arguments as `DevicesTable` has them."""
    return DevicesTable(roster, now, width=width, counts=counts, names=names).first()


def _is_stale(entry: RosterEntry, now: float) -> bool:
    return entry.presence.state(now) is not PresenceState.SEEN


def _state(entry: RosterEntry, now: float) -> Text:
    if entry.reading is None:
        return Text(type_title(_record_type(entry)) if _record_type(entry) is not None else ABSENT, "dim")
    record = entry.reading.record
    if _is_stale(entry, now):
        return Text(entry.presence.state(now).value, "yellow")
    if trouble(record):
        return Text(trouble(record)[0], "bold red")
    state = state_text(record)
    return Text(state or type_title(record.record_type), "green" if state and state != "Off" else "dim")


def _values(entry: RosterEntry, now: float, widths: Widths) -> Text:
    why = entry.why(now)
    stale = _is_stale(entry, now)
    if entry.reading is None and entry.network:
        return _with_reason(_network_values(entry, widths.values), why, stale=stale)
    if entry.reading is None:
        return Text(why or "the key is being checked", "yellow")
    if widths.state:
        record = entry.reading.record
        text = _fitting(headline(record), widths.values) or type_title(record.record_type)
        return _with_reason(text, why, stale=stale)
    return _values_with_state(entry, entry.reading, now, widths.values, why)


def _values_with_state(entry: RosterEntry, reading: Reading, now: float, width: int, why: str | None) -> Text:
    """Return the values if the state has no column: an alarm or a silence goes first, a state among the values."""
    record, stale = reading.record, _is_stale(entry, now)
    parts = list(headline(record))
    alarm = Text() if not stale and not trouble(record) else _state(entry, now).append("  ")
    if not alarm and (state := state_text(record)):
        parts.insert(_STATE_PLACE, state)
    text = _fitting(parts, width - len(alarm)) or ("" if alarm else type_title(record.record_type))
    return alarm.append_text(_with_reason(text, why, stale=stale))


def _with_reason(text: str, why: str | None, *, stale: bool) -> Text:
    """Return values, dim if they are old, with the reason why no new ones come in a line below."""
    if why and not stale:
        return Text.assemble((text, "dim"), "\n", (why, "yellow"))
    return Text(text, "dim" if stale else "")


def _network_values(entry: RosterEntry, width: int) -> str:
    """Return what a device sent to its VE.Smart network: measured values first, then those without a unit, by name."""
    ordered = sorted(entry.network.values(), key=lambda value: not value.unit or value.value is None)
    parts = (value_words(value) if value.unit else f"{register_label(value)} {value_words(value)}" for value in ordered)
    return _fitting(parts, width) or "VE.Smart networking"


def _fitting(parts: Iterable[str], width: int) -> str:
    """Return a line of the parts that fit into `width` columns, the first ones preferred."""
    line = ""
    for part in parts:
        longer = f"{line}  {part}" if line else part
        if len(longer) <= width:
            line = longer
    return line


def _strength(entry: RosterEntry) -> Text:
    return Text(ABSENT if entry.rssi is None else f"{entry.rssi:.0f}")


def device_panel(entry: RosterEntry, now: float, *, width: int, names: Mapping[str, str] = NO_NAMES) -> RenderableType:
    """Return one device with all its values."""
    signal = ABSENT if entry.rssi is None else f"{entry.rssi:.0f} dBm"
    head = Text.assemble(
        (device_name(entry, names), "bold"),
        (f"  {_product(entry)}  {entry.device.address}  {signal}  {age_text(entry.presence.age(now))} ago", "dim"),
    )
    why = entry.why(now)
    lines: list[RenderableType] = [head, *([Text(f"  {why}", "yellow")] if why else [])]
    if hint := entry.hint(now):
        lines.append(Text(f"  {hint}", "dim"))
    if (reading := entry.reading) is not None:
        shown = visible_values(reading.record)
        lines.append(_grid((label(row), _value(row, value, reading)) for row, value in shown))
    if entry.network:
        lines.append(_grid((register_label(value), Text(value_words(value))) for value in entry.network.values()))
    return Group(*lines, Text(""))


def _grid(rows: Iterable[tuple[str, Text]]) -> Table:
    """Return names and values in two columns."""
    grid = Table.grid(padding=(0, GAP))
    for name, value in rows:
        grid.add_row(f"  {escape(name)}", value)
    return grid


def _value(row: Row, value: Any, reading: Reading) -> Text:
    if row.name in reading.rejected:
        return Text(f"not believed: {value_text(row, reading.rejected[row.name])}", "yellow")
    if row.name in reading.doubtful:
        return Text(f"{value_text(row, value)}  (doubtful)", "yellow")
    return Text(value_text(row, value), "dim" if value is None else "")


def status_line(roster: Roster, frames: int, *, mode: str, ending: str) -> Text:
    """Return the line under a live table."""
    devices = len(roster.entries)
    parts = [f"{devices} device{'' if devices == 1 else 's'}", f"{frames} advertisements", ending, mode]
    return Text("  ·  ".join(filter(None, parts)), "dim", no_wrap=True, overflow="ellipsis")


def plain_table(roster: Roster, now: float, *, counts: bool = False, names: Mapping[str, str] = NO_NAMES) -> str:
    """Return the table of all devices as text for standard output, with colours where that is a terminal."""
    console = Console()
    width = output_width(console)
    out = io.StringIO()
    target = Console(file=out, width=width, force_terminal=console.is_terminal, no_color=console.no_color)
    target.print(devices_table(roster, now, width=width, counts=counts, names=names))
    return "".join(f"{line.rstrip()}\n" for line in out.getvalue().splitlines())
