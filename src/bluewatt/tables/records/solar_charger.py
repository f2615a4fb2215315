"""Record type 0x01: solar chargers (page instant-readout, section 4)."""

from __future__ import annotations

from bluewatt.schema import Proof, Record, coded, sint, uint
from bluewatt.tables.enums import ChargerError, DeviceState


class SolarCharger(Record, record_type=0x01, title="Solar charger", proof=Proof.CAPTURED):
    """What a BlueSolar or SmartSolar MPPT advertises; panel voltage and current are not transmitted."""

    device_state: DeviceState | None = coded(8, DeviceState, na=0xFF)
    charger_error: ChargerError | None = coded(8, ChargerError, na=0xFF)
    battery_voltage: float | None = sint(16, "V", step="0.01", na=0x7FFF)
    battery_current: float | None = sint(16, "A", step="0.1", na=0x7FFF)
    yield_today: float | None = uint(16, "kWh", step="0.01", na=0xFFFF)
    pv_power: int | None = uint(16, "W", na=0xFFFF)
    load_current: float | None = uint(9, "A", step="0.1", na=0x1FF)
