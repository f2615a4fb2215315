"""Where the values of an emulated device come from: the simulator, or whoever feeds them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Protocol

from bluewatt.schema import Code, Flags, Record, Row
from bluewatt.services.simulator.appliances import Habit, Use
from bluewatt.services.simulator.device import SimulatedDevice
from bluewatt.services.simulator.devices.charger import MainsCharger
from bluewatt.services.simulator.devices.monitor import ShuntMonitor
from bluewatt.services.simulator.devices.solar import MpptCharger
from bluewatt.services.simulator.history import DAYS_KEPT
from bluewatt.services.simulator.values import fit
from bluewatt.wire.instant_readout.records import encode_record
from bluewatt.wire.registers.scalars import code_number, flags_number


class ValueSource(Protocol):
    """The quantities of a device at a time, by metric or register key; None for what is not available."""

    record_class: type[Record]

    def record(self, at: float) -> Record:
        """What the device advertises."""
        ...

    def now(self, at: float) -> dict[str, Any]:
        """Everything its registers show."""
        ...

    def write(self, key: str, value: Any) -> bool:
        """Let a setting act on the device; False where it has no such setting."""
        ...


_MAINS = Habit(0, 0.0, Use(hour=0.0, minutes=24 * 60.0, spread=0.0))
"""Mains at all hours: an AC charger without it has no radio either (protocol page victronconnect-gatt, section 15)."""


class SimulatedValues:
    """A device of the simulated site: what is written to it changes what it does."""

    def __init__(self, device: SimulatedDevice) -> None:
        self.device = device
        if isinstance(device, MainsCharger):
            device.shore = _MAINS
        self.record_class = type(device.measure())
        self._lazy = _history(device) if isinstance(device, MpptCharger) else {}
        self._read: tuple[Record | None, dict[str, Any]] = (None, {})

    def record(self, at: float) -> Record:
        """The record of this second."""
        return self.device.record(at)

    def now(self, at: float) -> dict[str, Any]:
        """The record, and what the device knows beside it; the same record gives the same values.

        What takes long to work out, such as a day of the history, is a function without arguments.
        """
        record = self.device.record(at)
        if self._read[0] is not record:
            self._read = (record, self._all(record))
        device = self.device
        return self._lazy | self._read[1] | {key: getattr(device, key) for key in device.settings}

    def _all(self, record: Record) -> dict[str, Any]:
        device = self.device
        values = record.as_dict() | {key: getattr(device, key) for key in device.readings}
        extra = _EXTRAS.get(_kind(device))
        return _derived(values | extra(device)) if extra else _derived(values)

    def write(self, key: str, value: Any) -> bool:
        """Set the attribute of a setting, or run a command such as `synchronize`; a command is never remembered."""
        if key == SYNCHRONIZE and isinstance(self.device, ShuntMonitor):
            self.device.synchronise()
        elif key in self.device.settings:
            setattr(self.device, key, value)
        else:
            return False
        self._read = (None, {})  # a reading that follows from the setting must not be as old as the record
        return True


SYNCHRONIZE = "synchronize"


def _kind(device: SimulatedDevice) -> type[SimulatedDevice]:
    return next((kind for kind in _EXTRAS if isinstance(device, kind)), SimulatedDevice)


def _derived(values: dict[str, Any]) -> dict[str, Any]:
    """Power from voltage and current, where a device has both and tells no power itself."""
    voltage, current = values.get("battery_voltage"), values.get("battery_current")
    if voltage is not None and current is not None and "battery_power" not in values:
        values["battery_power"] = voltage * current
    return values


def _monitor(device: SimulatedDevice) -> dict[str, Any]:
    assert isinstance(device, ShuntMonitor)
    history = device.history
    return {key: getattr(history, key) for key in history.__struct_fields__} | {"synchronized": 1}


def _solar(device: SimulatedDevice) -> dict[str, Any]:
    assert isinstance(device, MpptCharger)
    on = device.load_output
    load = {"output_state": int(on), "load_voltage": device.bank.voltage if on else 0.0}
    return load | {"link_charge_voltage_setpoint": device.cycle.setpoint}


def _history(device: MpptCharger) -> dict[str, Callable[[], Any]]:
    days = {f"history_day_{ago:02d}": partial(_day, device, ago) for ago in range(DAYS_KEPT + 1)}
    return {**days, "history_total": partial(_total, device)}


def _day(device: MpptCharger, ago: int) -> dict[str, Any]:
    fields = device.history(ago).as_fields(device.harvest.today.number)
    # The page counts the days upwards (0 to 364), whatever they are counted from.
    number = (device.harvest.today.number - ago) % 365
    return {"version": 0, "error_database": 0} | fields | {"day_sequence": number}


def _total(device: MpptCharger) -> dict[str, Any]:
    # 13 bytes of ones at the end: the form of today's firmware (protocol page victronconnect-gatt, section 13).
    return {"version": 1, "error_database": 0} | device.history_total() | {"rest": b"\xff" * 13}


_EXTRAS = {ShuntMonitor: _monitor, MpptCharger: _solar}


class FedValues:
    """Values that somebody else measures: what was fed last is shown, what never was is not available.

    A battery monitor on a boat without a shunt, or a test that wants certain numbers.
    """

    def __init__(self, record_class: type[Record], fixed: Mapping[str, Any] | None = None) -> None:
        self.record_class = record_class
        self._values: dict[str, Any] = dict(fixed or {})
        self._record: Record | None = None

    def feed(self, values: Mapping[str, Any]) -> list[str]:
        """Show these from now on, by metric key or register key; returns the keys of values nobody can show.

        What is no value at all (an object) is passed over; a value that its row cannot hold is not available from here.
        """
        taken = {key: value for key, value in values.items() if isinstance(value, int | float | str | list | None)}
        misfits = [key for key, value in taken.items() if not self._fits(key, value)]
        self._values |= taken | dict.fromkeys(misfits)
        self._record = None
        return [key for key in values if key not in taken or key in misfits]

    def _fits(self, key: str, value: Any) -> bool:
        row = next((row for row in self.record_class.rows if row.name == key), None)
        return row is None or value is None or _held(self.record_class, row, value) is not None

    def record(self, at: float) -> Record:
        """The record of the values fed so far; a value it cannot hold is not available."""
        if self._record is None:
            rows = [row for row in self.record_class.rows if self._values.get(row.name) is not None]
            taken = {row.name: _held(self.record_class, row, self._values[row.name]) for row in rows}
            # A value that shares its bits with others brings the selector along: starter voltage or temperature.
            selected = {row.when[0]: row.when[1][0] for row in rows if row.when and row.when[0] not in taken}
            held = {key: value for key, value in taken.items() if value is not None}
            self._record = fit(self.record_class, **selected, **held)
        return self._record

    def now(self, at: float) -> dict[str, Any]:
        """All that was fed, and the power that follows from it."""
        return _derived(dict(self._values))

    def write(self, key: str, value: Any) -> bool:
        """A fed device has no machinery; its settings are kept and shown."""
        return False


def _held(cls: type[Record], row: Row, value: Any) -> Any:
    """What a row makes of a fed value, None where that is nothing or does not fit."""
    try:
        held = _meant(cls, row, value)
        selector = {row.when[0]: row.when[1][0]} if row.when else {}
        encode_record(fit(cls, **selector, **{row.name: held}))
    except (TypeError, ValueError, OverflowError):  # Unencodable is a ValueError
        return None
    return held


def _meant(cls: type[Record], row: Row, value: Any) -> Any:
    if row.named is not None and issubclass(row.named, Code):
        return row.named(code_number(value, row.named, row.name))
    if row.named is not None and issubclass(row.named, Flags):
        return row.named(flags_number(value, row.named, row.name))
    return getattr(fit(cls, **{row.name: value}), row.name)
