"""Values that a program or a person feeds to an emulated device."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bluewatt.schema import Code, Flags, Record, Row
from bluewatt.services.plant import with_power
from bluewatt.services.simulator.values import fit
from bluewatt.wire.instant_readout.records import encode_record
from bluewatt.wire.registers.scalars import code_number, flags_number


class FedValues:
    """A plant that is measured elsewhere: what was fed last is shown, what never was fed is not available.

    It makes a battery monitor on a boat without a shunt, or serves a test that wants certain numbers.
    """

    def __init__(self, record_class: type[Record], fixed: Mapping[str, Any] | None = None) -> None:
        self.record_class = record_class
        self._values: dict[str, Any] = dict(fixed or {})
        self._record: Record | None = None

    def feed(self, values: Mapping[str, Any]) -> list[str]:
        """Show these from now on, by metric or register key; return the keys of values that cannot be shown.

        What is no value at all (an object) is passed over; a value that its row cannot hold becomes not available.
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
        """Return the record of the values fed so far; a value it cannot hold is not available."""
        if self._record is None:
            rows = [row for row in self.record_class.rows if self._values.get(row.name) is not None]
            taken = {row.name: _held(self.record_class, row, self._values[row.name]) for row in rows}
            # A value that shares its bits with others brings the selector along: starter voltage or temperature.
            selected = {row.when[0]: row.when[1][0] for row in rows if row.when and row.when[0] not in taken}
            held = {key: value for key, value in taken.items() if value is not None}
            self._record = fit(self.record_class, **selected, **held)
        return self._record

    def values(self, at: float) -> dict[str, Any]:
        """Return all that was fed, and the power that follows from it."""
        return with_power(dict(self._values))

    def write(self, key: str, value: Any) -> bool:
        """Return False: nothing here follows a setting; the emulated device keeps and shows it."""
        return False


def _held(cls: type[Record], row: Row, value: Any) -> Any:
    """Return what a row makes of a fed value; None if it does not fit."""
    try:
        held = _parsed(cls, row, value)
        selector = {row.when[0]: row.when[1][0]} if row.when else {}
        encode_record(fit(cls, **selector, **{row.name: held}))
    except (TypeError, ValueError, OverflowError):  # Unencodable is a ValueError
        return None
    return held


def _parsed(cls: type[Record], row: Row, value: Any) -> Any:
    if row.named is not None and issubclass(row.named, Code):
        return row.named(code_number(value, row.named, row.name))
    if row.named is not None and issubclass(row.named, Flags):
        return row.named(flags_number(value, row.named, row.name))
    return getattr(fit(cls, **{row.name: value}), row.name)
