"""The register store of an emulated device: numbers and bytes outside, keys and values inside."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Set
from typing import Any

import msgspec

from bluewatt.errors import Malformed, Unencodable
from bluewatt.services.emulator.families import BATTERY_TYPE, USER_BATTERY, EmulatedRegister, Family
from bluewatt.tables.gatt import ResultCode
from bluewatt.tables.registers import Register, by_key
from bluewatt.wire.registers.values import decode_value, encode_value
from bluewatt.wire.victronconnect.device import Withheld


class Cell(msgspec.Struct, frozen=True):
    """One register on one instance."""

    row: Register
    read: Callable[[], Any] | None
    """The value; None for a command, which cannot be read."""
    write: Callable[[Any], int | None] | None = None
    """Takes a value; a code where it refuses. None where nothing may be written."""
    live: bool = False
    """Whether a change is pushed to subscribers."""
    withheld: Callable[[], bool] | None = None
    """Whether a client may not read it yet."""


class Outlook(msgspec.Struct, frozen=True):
    """What a store needs of its device."""

    values: Callable[[], Mapping[str, Any]]
    """Everything there is to show now, by metric or register key."""
    write: Callable[[str, Any, bool], None]
    """Acts on a setting and, where told to, remembers it."""
    act: Callable[[str], None]
    """Runs a command."""


class RegisterStore:
    """What `wire.session_device.DeviceSide` asks: the registers of a family, and those added with `add`."""

    def __init__(self, family: Family, outlook: Outlook) -> None:
        self.family = family
        self._outlook = outlook
        self._cells: dict[tuple[int, int], Cell] = {}
        self._pushed: dict[tuple[int, int], bytes] = {}
        for shown in (*family.live, *family.kept):
            self._add_shown(shown, live=shown in family.live)

    def add(self, instance: int, key: str, cell: Callable[[Register], Cell]) -> None:
        """One more register, by its key in the table; a row of the family's own stands. KeyError for no such key."""
        row = self.row(key)
        self._cells.setdefault((instance, row.id), cell(row))

    def row(self, key: str) -> Register:
        """The table's row of a key in this family; KeyError for a key that is none."""
        row = by_key(key, self.family.table)
        if row is None:
            raise KeyError(f"the register table has no {key} for {self.family.table}")
        return row

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """Instance and number of every register there is."""
        return iter(self._cells)

    def cell(self, instance: int, register: int) -> Cell:
        """One register; KeyError where there is none."""
        return self._cells[instance, register]

    # the port of the session machine

    def devices(self) -> tuple[tuple[int, int], ...]:
        """Instances and kinds."""
        return self.family.instances

    def get(self, instance: int, register: int) -> bytes | int | Withheld:
        """The content of a register or the code to refuse with."""
        cell = self._cells.get((instance, register))
        if cell is None:
            return ResultCode.UNKNOWN_REGISTER
        if cell.withheld and cell.withheld():
            return Withheld(ResultCode.NOT_ACCEPTABLE)
        if cell.read is None:
            return ResultCode.ACCESS_REFUSED
        return content(cell.row, cell.read())

    def set(self, instance: int, register: int, value: bytes) -> bytes | int:
        """Write a register; the content afterwards or the code to refuse with."""
        cell = self._cells.get((instance, register))
        if cell is None:
            return ResultCode.UNKNOWN_REGISTER
        if cell.write is None:
            return ResultCode.ACCESS_REFUSED
        if cell.row.size is not None and len(value) != cell.row.size:
            return ResultCode.NOT_ACCEPTABLE
        try:
            refused = cell.write(decode_value(cell.row, value))
        except Malformed:
            return ResultCode.NOT_ACCEPTABLE
        if refused:
            return refused
        return value if cell.read is None else content(cell.row, cell.read())

    def changes(self, instances: Set[int]) -> Iterator[tuple[int, int, bytes]]:
        """The live registers of these instances whose content differs from what this method last told."""
        for (instance, number), cell in self._cells.items():
            if cell.live and cell.read is not None and instance in instances:
                now = content(cell.row, cell.read())
                if isinstance(now, bytes) and self._pushed.get((instance, number)) != now:
                    self._pushed[instance, number] = now
                    yield instance, number, now

    def forget_pushed(self) -> None:
        """A new connection: everything is news again."""
        self._pushed.clear()

    # rows to cells

    def _add_shown(self, shown: EmulatedRegister, *, live: bool) -> None:
        row = self.row(shown.register)
        read = None if shown.command else self._reader(shown, row)
        self._cells[self.family.data_instance, row.id] = Cell(row, read, self._writer(shown, row), live)

    def _reader(self, shown: EmulatedRegister, row: Register) -> Callable[[], Any]:
        keys = tuple(key for key in (shown.value, row.key, row.metric) if key)

        def read() -> Any:
            values = self._outlook.values()
            value = next((values[key] for key in keys if values.get(key) is not None), shown.fixed)
            return value() if callable(value) else value

        return read

    def _writer(self, shown: EmulatedRegister, row: Register) -> Callable[[Any], int | None] | None:
        if shown.command:
            return lambda value: self._outlook.act(row.key)
        return (lambda value: self._write(shown, row, value)) if shown.writable else None

    def _write(self, shown: EmulatedRegister, row: Register, value: Any) -> int | None:
        if value is None or (shown.allowed and value not in shown.allowed):
            return ResultCode.NOT_ACCEPTABLE
        battery = self._outlook.values().get(BATTERY_TYPE)
        if shown.guarded and battery is not None and battery != USER_BATTERY:
            return ResultCode.NOT_ACCEPTABLE
        if shown.lowest is not None:
            value = max(value, shown.lowest)
        self._outlook.write(row.key, value, not shown.passing)
        return None


def content(row: Register, value: Any) -> bytes | int:
    """The bytes that show a value: "not available" for one the register cannot hold, a code where it has no such."""
    try:
        return encode_value(row, value)
    except Unencodable:
        return ResultCode.NOT_ACCEPTABLE if value is None or row.not_available is None else content(row, None)
