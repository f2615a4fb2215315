"""The registers of an emulated device: numbers and bytes outside, keys and values inside."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Set
from typing import Any

import msgspec

from bluewatt.errors import Malformed
from bluewatt.services.emulator.families import BATTERY_TYPE, USER_BATTERY, EmulatedRegister, Family
from bluewatt.services.plant import family_register, register_content
from bluewatt.tables.gatt import ResultCode
from bluewatt.tables.registers import Register
from bluewatt.wire.registers.values import decode_value
from bluewatt.wire.victronconnect.device import Withheld


class Cell(msgspec.Struct, frozen=True):
    """One register on one instance."""

    row: Register
    read: Callable[[], Any] | None
    """Returns the value; None for a command, which cannot be read."""
    write: Callable[[Any], int | None] | None = None
    """Takes a value and returns a result code if it refuses; None if nothing may be written."""
    live: bool = False
    """Whether subscribers are notified of a change."""
    withheld: Callable[[], bool] | None = None
    """Whether a client may not read it yet."""


class DeviceAccess(msgspec.Struct, frozen=True):
    """What a register store needs of its device."""

    values: Callable[[], Mapping[str, Any]]
    """Returns everything there is to show now, by metric or register key."""
    write: Callable[[str, Any, bool], None]
    """Writes a setting by key; the flag says whether to remember it over a restart."""
    act: Callable[[str], None]
    """Runs a command by key."""


class RegisterStore:
    """The registers of a family, and those added with `add`: the port of `wire.victronconnect.device.DeviceSide`."""

    def __init__(self, family: Family, device: DeviceAccess) -> None:
        self.family = family
        self._device = device
        self._cells: dict[tuple[int, int], Cell] = {}
        self._pushed: dict[tuple[int, int], bytes] = {}
        for emulated in (*family.live, *family.kept):
            self._add_row(emulated, live=emulated in family.live)

    def add(self, instance: int, key: str, cell: Callable[[Register], Cell]) -> None:
        """Add a register by its key in the table, unless the family has it already; KeyError for no such key."""
        row = self.row(key)
        self._cells.setdefault((instance, row.id), cell(row))

    def row(self, key: str) -> Register:
        """Return the table's row of a key in this family; KeyError for no such key."""
        return family_register(key, self.family.table)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """Iterate over instance and number of every register there is."""
        return iter(self._cells)

    def cell(self, instance: int, register: int) -> Cell:
        """Return a register; KeyError if there is none."""
        return self._cells[instance, register]

    # the port of the session machine

    def devices(self) -> tuple[tuple[int, int], ...]:
        """Return the instances and their kinds."""
        return self.family.instances

    def get(self, instance: int, register: int) -> bytes | int | Withheld:
        """Return the content of a register or the code to refuse with."""
        cell = self._cells.get((instance, register))
        if cell is None:
            return ResultCode.UNKNOWN_REGISTER
        if cell.withheld and cell.withheld():
            return Withheld(ResultCode.NOT_ACCEPTABLE)
        if cell.read is None:
            return ResultCode.ACCESS_REFUSED
        return content(cell.row, cell.read())

    def set(self, instance: int, register: int, value: bytes) -> bytes | int:
        """Write a register; return its content afterwards or the code to refuse with."""
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
        """Yield the live registers of these instances whose content differs from what this method last yielded."""
        for (instance, number), cell in self._cells.items():
            if cell.live and cell.read is not None and instance in instances:
                found = content(cell.row, cell.read())
                if isinstance(found, bytes) and self._pushed.get((instance, number)) != found:
                    self._pushed[instance, number] = found
                    yield instance, number, found

    def forget_pushed(self) -> None:
        """Forget what was sent: a new connection is sent everything again."""
        self._pushed.clear()

    # from the family's rows to cells

    def _add_row(self, emulated: EmulatedRegister, *, live: bool) -> None:
        row = self.row(emulated.register)
        read = None if emulated.command else self._reader(emulated, row)
        self._cells[self.family.data_instance, row.id] = Cell(row, read, self._writer(emulated, row), live)

    def _reader(self, emulated: EmulatedRegister, row: Register) -> Callable[[], Any]:
        keys = tuple(key for key in (emulated.value, row.key, row.metric) if key)

        def read() -> Any:
            values = self._device.values()
            value = next((values[key] for key in keys if values.get(key) is not None), emulated.fixed)
            return value() if callable(value) else value

        return read

    def _writer(self, emulated: EmulatedRegister, row: Register) -> Callable[[Any], int | None] | None:
        if emulated.command:
            return lambda value: self._device.act(row.key)
        return (lambda value: self._write(emulated, row, value)) if emulated.writable else None

    def _write(self, emulated: EmulatedRegister, row: Register, value: Any) -> int | None:
        if value is None or (emulated.allowed and value not in emulated.allowed):
            return ResultCode.NOT_ACCEPTABLE
        battery = self._device.values().get(BATTERY_TYPE)
        if emulated.guarded and battery is not None and battery != USER_BATTERY:
            return ResultCode.NOT_ACCEPTABLE
        if emulated.lowest is not None:
            value = max(value, emulated.lowest)
        self._device.write(row.key, value, not emulated.passing)
        return None


def content(row: Register, value: Any) -> bytes | int:
    """Return the content that shows a value: "not available" if it does not fit, else a code to refuse with."""
    found = register_content(row, value)
    return ResultCode.NOT_ACCEPTABLE if found is None else found
