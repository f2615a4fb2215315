"""Record type 0x0D: battery monitors in DC energy meter mode (page instant-readout, section 4)."""

from __future__ import annotations

from bluewatt.schema import Proof, Record, coded, flags, sint, uint, unspecified
from bluewatt.tables.enums import AlarmReason, AuxMode, MonitorMode


class DcEnergyMeter(Record, record_type=0x0D, title="DC energy meter", proof=Proof.CAPTURED):
    """What a SmartShunt or BMV advertises as a DC energy meter: the same product id as a monitor, another record."""

    monitor_mode: MonitorMode | None = coded(16, MonitorMode, signed=True)
    battery_voltage: float | None = sint(16, "V", step="0.01", na=0x7FFF)
    alarm_reason: AlarmReason | None = flags(16, AlarmReason)
    starter_voltage: float | None = sint(
        16, "V", step="0.01", na=0x7FFF, when=("aux_mode", AuxMode.STARTER_VOLTAGE), proof=Proof.DOCUMENTED
    )
    temperature: float | None = uint(
        16, "°C", step="0.01", bias="-273.15", na=0xFFFF, when=("aux_mode", AuxMode.TEMPERATURE), proof=Proof.DOCUMENTED
    )
    aux_unused: int | None = unspecified(16, when=("aux_mode", (1, 3)))
    aux_mode: AuxMode | None = coded(2, AuxMode)
    # As in the battery monitor record: 0x1FFFFF alone is "not available", 0x3FFFFF is -1 mA.
    battery_current: float | None = sint(22, "A", step="0.001", na=0x1FFFFF)
