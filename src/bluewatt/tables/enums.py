"""The enumerations: enums.csv, read when the first name is asked for, and the classes the record rows use.

The CSV has one line per named number: enumeration, number (bit number for masks, group number for two-bit groups),
key for programs, label for people, source: files of the vendor and of other projects, or a protocol page and section.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

from bluewatt.schema import Code, Flags, Name, TwoBitFields

CSV_NAME = "enums.csv"


@cache
def _all() -> dict[str, dict[int, Name]]:
    table: dict[str, dict[int, Name]] = {}
    with Path(__file__).with_name(CSV_NAME).open(encoding="utf-8") as file:
        lines = csv.reader(file)
        next(lines)
        for name, number, key, label, _source in lines:
            table.setdefault(name, {})[int(number)] = Name(key, label)
    return table


def enumeration(name: str) -> Mapping[int, Name]:
    """Return the named numbers of one enumeration; KeyError for an enumeration that is not in the table."""
    return _all()[name]


def enumeration_names() -> list[str]:
    """Return the names of all enumerations."""
    return list(_all())


class _Lazy(Mapping[int, Name]):
    """The names of one enumeration, looked up at first use, so that a start does not read the table."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __getitem__(self, number: int) -> Name:
        return enumeration(self.name)[number]

    def __iter__(self) -> Iterator[int]:
        return iter(enumeration(self.name))

    def __len__(self) -> int:
        return len(enumeration(self.name))


@cache
def code_class(name: str) -> type[Code]:
    """Return the class of single values of an enumeration, by its name in the table."""
    return type(name, (Code,), {"names": _Lazy(name), "__doc__": f"Values of the enumeration {name}."})


@cache
def flags_class(name: str) -> type[Flags]:
    """Return the class of bit masks of an enumeration, by its name in the table."""
    return type(name, (Flags,), {"names": _Lazy(name), "__doc__": f"Bits of the enumeration {name}."})


class DeviceState(Code, names=_Lazy("device_state")):
    """What a charger or inverter is doing (register 0x0201)."""


class ChargerError(Code, names=_Lazy("error_code")):
    """Why a charger or device stopped (register 0xEDDA)."""


class OffReason(Flags, names=_Lazy("off_reason")):
    """Why a device is off (register 0x0207)."""


class AlarmReason(Flags, names=_Lazy("alarm_reason")):
    """Which alarms or warnings are active (registers 0x031E and 0x031C)."""


class AuxMode(Code, names=_Lazy("aux_input_mode")):
    """What the auxiliary input of a battery monitor measures (register 0xEEF8)."""

    STARTER_VOLTAGE = 0
    MIDPOINT_VOLTAGE = 1
    TEMPERATURE = 2


class OutputState(Code, names=_Lazy("load_state")):
    """State of a DC output (register 0xEDA8)."""


class ActiveAcIn(Code, names=_Lazy("active_ac_input")):
    """Which AC input is in use, in two bits (register 0x0204 in short form)."""


class BalancerStatus(Code, names=_Lazy("balancer_status")):
    """State of the cell balancer (register 0xEA15)."""


class BmsFlags(Flags, names=_Lazy("bms_flags")):
    """States, warnings and alarms of a lithium battery (register 0x2100)."""


class SmartLithiumError(Flags, names=_Lazy("smart_lithium_errors")):
    """Errors of a Smart Lithium battery (register 0xEC80, low half)."""


class BmsError(Code, names=_Lazy("bms_error")):
    """Error of a battery management system (register 0x2101)."""


class BmsIoStatus(TwoBitFields, names=_Lazy("bms_io_status"), states=("not_available", "yes", "no", "reserved")):
    """Inputs and outputs of a battery management system (register 0x2108)."""


class BmsWarnings(TwoBitFields, names=_Lazy("bms_warnings"), states=("unsupported", "ok", "warning", "alarm")):
    """Warnings and alarms of a battery management system (register 0x2107)."""


class VeBusError(Code, names=_Lazy("vebus_error")):
    """Error of a VE.Bus system (register 0xE40B); not the list of the chargers."""


class VeBusAlarm(Code, names=_Lazy("vebus_alarm")):
    """Whether a VE.Bus system warns."""


class MonitorMode(Code, names=_Lazy("monitor_mode")):
    """What a DC energy meter is wired to (register 0xEEB8)."""


class SolarsenseError(Flags):
    """Error bits of a SolarSense; no bit has a published name."""
