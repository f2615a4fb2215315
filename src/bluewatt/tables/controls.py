"""What may be written, row by row: nothing that is not here can be written by any command, flag or setting.

A row names a register by its key in the register table, where number, type and scale stand. Its limits are narrower
than the register's own: they are what is safe on any installation, and a device may narrow them further. `needs` is a
register that must hold a value first. Evidence: protocol page victronconnect-gatt, sections 9 and 12, and the register
table.
Clearing history, restoring defaults, PINs and firmware are not here and never will be.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import msgspec

from bluewatt.tables.registers import Register, by_key

BATTERY_TYPE: Final = "battery_type"
USER_BATTERY: Final = 0xFF
"""The battery type under which charge voltages may be set (section 9, single source)."""

NOMINAL: Final = 12.0
"""The system voltage that `per_nominal` limits are for; twice of them hold for 24 V."""


class Control(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that may be changed."""

    name: str
    """The name people type: `bluewatt set DEVICE name=value`."""
    register: str
    families: tuple[str, ...]
    words: Mapping[str, int] = MappingProxyType({})
    """The words a person may write, and what each sends; empty where a number or a text is written."""
    low: float | None = None
    high: float | None = None
    per_nominal: bool = False
    """Whether the limits are for 12 V and grow with the system voltage."""
    high_register: str = ""
    """A register of the device that lowers `high` to what the model can."""
    longest: int = 0
    """Bytes of a text at most."""
    needs: tuple[str, int] | None = None
    """Another register and the number it must hold before this one may be written."""
    restores_named: bool = False
    """Whether an undo may put back any number that the register's enumeration names, such as the battery type before;
    people choose among `words` alone."""
    command: bool = False
    """Whether a write triggers an action: then nothing is stored, read back or undone."""
    risk: str
    """The risk, in a sentence."""
    evidence: str

    def row(self, family: str | None) -> Register:
        """Return the register on a device of a family; raises LookupError if the table does not have it."""
        found = by_key(self.register, family)
        if found is None:
            raise LookupError(f"the register table has no {self.register} for {family}")
        return found


_ON_OFF = MappingProxyType({"on": 1, "off": 4})

CONTROLS: Final = (
    Control(
        name="charger", register="device_mode", families=("mppt", "orion"), words=_ON_OFF,
        risk="The battery is no longer charged while it is off, and nothing switches it on again by itself.",
        evidence="0x0200, documented; 1 and 4 seen to act on Orion and SmartSolar (single source)",
    ),
    Control(
        name="inverter", register="device_mode", families=("phoenix",),
        words=MappingProxyType({"on": 2, "off": 4, "eco": 5}),
        risk="Everything on the AC output loses or gets its power; eco leaves small loads without.",
        evidence="0x0200, documented; two sources for the Phoenix",
    ),
    Control(
        name="load", register="load_control", families=("mppt",),
        words=MappingProxyType({"on": 4, "off": 0, "automatic": 1}), restores_named=True,
        risk="What hangs on the load output loses or gets its power; always on can empty the battery.",
        evidence="0xEDAB, documented",
    ),
    Control(
        name="charge_current_limit", register="battery_maximum_current", families=("mppt", "charger"),
        low=1.0, high=100.0, high_register="charger_maximum_current",
        risk="More current than the battery may take overheats it.",
        evidence="0xEDF0, documented; an IP22 was seen to clamp it (single source)",
    ),
    Control(
        name="low_current_mode", register="low_current_mode", families=("charger",),
        words=MappingProxyType({"off": 0, "on": 1, "night": 2}),
        risk="The battery is charged with a part of the current only, and takes longer to fill; night ends by itself.",
        evidence="0xE001, two sources: the vendor's register header and its charger software",
    ),
    Control(
        name=BATTERY_TYPE, register=BATTERY_TYPE, families=("mppt", "charger", "orion"),
        words=MappingProxyType({"user": USER_BATTERY}), restores_named=True,
        risk="The charge voltages are the owner's from here on: wrong ones ruin a battery.",
        evidence="0xEDF1, documented",
    ),
    Control(
        name="absorption_voltage", register="absorption_voltage", families=("mppt", "charger", "orion"),
        low=12.8, high=15.4, per_nominal=True, needs=(BATTERY_TYPE, USER_BATTERY),
        risk="Too high a voltage gasses or ruins a battery, and can set a lithium one on fire without its BMS.",
        evidence="0xEDF7, documented; battery type \"user\" first (single source)",
    ),
    Control(
        name="float_voltage", register="float_voltage", families=("mppt", "charger", "orion"),
        low=12.6, high=14.6, per_nominal=True, needs=(BATTERY_TYPE, USER_BATTERY),
        risk="Too high a voltage dries a battery out over weeks; too low a one leaves it half full.",
        evidence="0xEDF6, documented; battery type \"user\" first (single source)",
    ),
    Control(
        name="synchronize", register="synchronize", families=("smartshunt", "bmv"), command=True,
        words=MappingProxyType({"yes": 0}),
        risk="The state of charge is set to 100 %: if the battery is not full, it is wrong until the next full charge.",
        evidence="0x102C, documented",
    ),
    Control(
        name="device_name", register="custom_name", longest=20,
        families=("smartshunt", "bmv", "mppt", "phoenix", "orion", "charger"),
        risk="Programs that find the device by its name no longer do.",
        evidence="0x010C, documented",
    ),
)  # fmt: skip
"""Every row, in the order in which it is listed."""

MODES: Final = ("charger", "inverter")
"""The controls that `bluewatt mode` switches: the first that the device has."""

SYSTEM_VOLTAGES: Final = (12.0, 24.0, 36.0, 48.0)


def control(name: str, family: str | None) -> Control | None:
    """Return the row of a name on devices of a family; None if nothing of that name may be written there."""
    return next((row for row in CONTROLS if row.name == name and family in row.families), None)


def controls_of(family: str | None) -> tuple[Control, ...]:
    """Return what may be written on devices of a family."""
    return tuple(row for row in CONTROLS if family in row.families)
