"""Record type 0x02: battery monitors and the Smart Battery Sense (page instant-readout, section 4)."""

from __future__ import annotations

from bluewatt.schema import Proof, Record, coded, flags, sint, uint, unspecified
from bluewatt.tables.enums import AlarmReason, AuxMode


class BatteryMonitor(Record, record_type=0x02, title="Battery monitor", proof=Proof.CAPTURED):
    """What a BMV, a SmartShunt or a Smart Battery Sense advertises; the auxiliary input has one of three meanings."""

    time_to_go: int | None = uint(16, "min", na=0xFFFF)
    battery_voltage: float | None = sint(16, "V", step="0.01", na=0x7FFF)
    alarm_reason: AlarmReason | None = flags(16, AlarmReason)
    starter_voltage: float | None = sint(16, "V", step="0.01", na=0x7FFF, when=("aux_mode", AuxMode.STARTER_VOLTAGE))
    midpoint_voltage: float | None = uint(16, "V", step="0.01", na=0xFFFF, when=("aux_mode", AuxMode.MIDPOINT_VOLTAGE))
    temperature: float | None = uint(
        16, "°C", step="0.01", bias="-273.15", na=0xFFFF, when=("aux_mode", AuxMode.TEMPERATURE)
    )
    aux_unused: int | None = unspecified(16, when=("aux_mode", (3,)))
    aux_mode: AuxMode | None = coded(2, AuxMode)
    # 0x1FFFFF alone is "not available": captures carry it and the vendor's own decoder takes nothing else for it. The
    # vendor's document prints 0x3FFFFF, which is -1 mA.
    battery_current: float | None = sint(22, "A", step="0.001", na=0x1FFFFF)
    consumed_charge: float | None = uint(20, "Ah", step="-0.1", na=0xFFFFF)
    state_of_charge: float | None = uint(10, "%", step="0.1", na=0x3FF)
