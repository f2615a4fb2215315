"""Record type 0x0A: Lynx Smart BMS (page instant-readout, section 4)."""

from __future__ import annotations

from bluewatt.schema import Proof, Record, coded, flags, sint, uint
from bluewatt.tables.enums import BmsError, BmsIoStatus, BmsWarnings


class LynxSmartBms(Record, record_type=0x0A, title="Lynx Smart BMS", proof=Proof.CAPTURED):
    """What a Lynx Smart BMS advertises."""

    bms_error: BmsError | None = coded(8, BmsError)
    time_to_go: int | None = uint(16, "min", na=0xFFFF)
    battery_voltage: float | None = sint(16, "V", step="0.01", na=0x7FFF)
    battery_current: float | None = sint(16, "A", step="0.1", na=0x7FFF)
    io_status: BmsIoStatus | None = flags(16, BmsIoStatus)
    warnings_alarms: BmsWarnings | None = flags(18, BmsWarnings)
    state_of_charge: float | None = uint(10, "%", step="0.1", na=0x3FF)
    consumed_charge: float | None = uint(20, "Ah", step="-0.1", na=0xFFFFF)
    battery_temperature: int | None = uint(7, "°C", bias="-40", na=0x7F, proof=Proof.DOCUMENTED)
