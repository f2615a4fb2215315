"""The advertised records, one file each; found by record type, imported when the first of its type is met."""

from __future__ import annotations

from functools import cache
from importlib import import_module

from bluewatt.schema import Record

_PLACES = {
    0x00: "vendor_test:VendorTest",
    0x01: "solar_charger:SolarCharger",
    0x02: "battery_monitor:BatteryMonitor",
    0x03: "inverter:Inverter",
    0x04: "dcdc_converter:DcdcConverter",
    0x05: "smart_lithium:SmartLithium",
    0x06: "inverter_rs:InverterRs",
    0x07: "gx_device:GxDevice",
    0x08: "ac_charger:AcCharger",
    0x09: "smart_battery_protect:SmartBatteryProtect",
    0x0A: "lynx_smart_bms:LynxSmartBms",
    0x0B: "multi_rs:MultiRs",
    0x0C: "ve_bus:VeBus",
    0x0D: "dc_energy_meter:DcEnergyMeter",
    0x0E: "smart_bms:SmartBms",
    0x0F: "orion_xs:OrionXs",
    0xFF01: "solarsense:Solarsense",
}

EXTENDED_TYPE = 0xFF
"""The record type byte of extended types: the real type is 0xFF00 plus the byte in the place of the key check."""


@cache
def record_class(record_type: int) -> type[Record] | None:
    """Return the class of a record type (0xFFnn for the extended ones); None if nobody has described it."""
    place = _PLACES.get(record_type)
    if place is None:
        return None
    module, name = place.split(":")
    found: type[Record] = getattr(import_module(f"{__name__}.{module}"), name)
    return found


def record_classes() -> list[type[Record]]:
    """Return all described records, by record type."""
    return [found for record_type in _PLACES if (found := record_class(record_type)) is not None]
