"""Advertisements to decode: a battery monitor and a solar charger whose values change, sealed with one key."""

from __future__ import annotations

from bluewatt import build_advertisement
from bluewatt.tables.enums import AlarmReason, AuxMode, ChargerError, DeviceState
from bluewatt.tables.records.battery_monitor import BatteryMonitor
from bluewatt.tables.records.solar_charger import SolarCharger

KEY = bytes(range(16))


def battery_monitor(count: int) -> list[bytes]:
    """Advertisements of a SmartShunt, each with its own nonce."""
    return [
        build_advertisement(
            BatteryMonitor(
                time_to_go=1000 + number % 100,
                battery_voltage=12.5 + number % 50 / 100,
                alarm_reason=AlarmReason(0),
                starter_voltage=12.6,
                aux_mode=AuxMode.STARTER_VOLTAGE,
                battery_current=-4.123,
                consumed_charge=-12.3,
                state_of_charge=87.5,
            ),
            product_id=0xA389,
            key=KEY,
            nonce=number % 0x10000,
        )
        for number in range(count)
    ]


def solar_charger(count: int) -> list[bytes]:
    """Advertisements of a SmartSolar MPPT, each with its own nonce."""
    return [
        build_advertisement(
            SolarCharger(
                device_state=DeviceState(3),
                charger_error=ChargerError(0),
                battery_voltage=13.5 + number % 50 / 100,
                battery_current=7.4,
                yield_today=0.52,
                pv_power=100 + number % 50,
                load_current=1.2,
            ),
            product_id=0xA042,
            key=KEY,
            nonce=number % 0x10000,
        )
        for number in range(count)
    ]
