"""Record type 0x09: Smart BatteryProtect (page instant-readout, section 4).

The bit positions printed in the vendor's document are 24 too small; these are proven by a captured record.
"""

from __future__ import annotations

from bluewatt.schema import Proof, Record, coded, flags, sint, uint
from bluewatt.tables.enums import AlarmReason, ChargerError, DeviceState, OffReason, OutputState


class SmartBatteryProtect(Record, record_type=0x09, title="Smart BatteryProtect", proof=Proof.CAPTURED):
    """What a Smart BatteryProtect advertises; the alarm is the latched cause, the warning the present condition."""

    device_state: DeviceState | None = coded(8, DeviceState, na=0xFF)
    output_state: OutputState | None = coded(8, OutputState, na=0xFF)
    error_code: ChargerError | None = coded(8, ChargerError, na=0xFF)
    alarm_reason: AlarmReason | None = flags(16, AlarmReason)
    warning_reason: AlarmReason | None = flags(16, AlarmReason)
    input_voltage: float | None = sint(16, "V", step="0.01", na=0x7FFF)
    output_voltage: float | None = uint(16, "V", step="0.01", na=0xFFFF)
    off_reason: OffReason | None = flags(32, OffReason)
