"""Record type 0x03: inverters (page instant-readout, section 4)."""

from __future__ import annotations

from bluewatt.schema import Proof, Record, coded, flags, sint, uint
from bluewatt.tables.enums import AlarmReason, DeviceState


class Inverter(Record, record_type=0x03, title="Inverter", proof=Proof.CAPTURED):
    """What a Phoenix inverter advertises."""

    device_state: DeviceState | None = coded(8, DeviceState, na=0xFF)
    alarm_reason: AlarmReason | None = flags(16, AlarmReason)
    battery_voltage: float | None = sint(16, "V", step="0.01", na=0x7FFF)
    ac_apparent_power: int | None = uint(16, "VA", na=0xFFFF)
    ac_voltage: float | None = uint(15, "V", step="0.01", na=0x7FFF)
    ac_current: float | None = uint(11, "A", step="0.1", na=0x7FF)
