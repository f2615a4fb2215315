"""Record type 0x0B: Multi RS (page instant-readout, section 4; no bytes are public)."""

from __future__ import annotations

from bluewatt.schema import Proof, Record, coded, sint, uint
from bluewatt.tables.enums import ActiveAcIn, ChargerError, DeviceState


class MultiRs(Record, record_type=0x0B, title="Multi RS", proof=Proof.DOCUMENTED):
    """What a Multi RS advertises."""

    device_state: DeviceState | None = coded(8, DeviceState, na=0xFF)
    charger_error: ChargerError | None = coded(8, ChargerError, na=0xFF)
    battery_current: float | None = sint(16, "A", step="0.1", na=0x7FFF)
    battery_voltage: float | None = uint(14, "V", step="0.01", na=0x3FFF)
    active_ac_in: ActiveAcIn | None = coded(2, ActiveAcIn, na=3)
    active_ac_in_power: int | None = sint(16, "W", na=0x7FFF)
    ac_out_power: int | None = sint(16, "W", na=0x7FFF)
    pv_power: int | None = uint(16, "W", na=0xFFFF)
    yield_today: float | None = uint(16, "kWh", step="0.01", na=0xFFFF)
