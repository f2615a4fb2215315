"""Record type 0x06: Inverter RS (page instant-readout, section 4; no bytes are public)."""

from __future__ import annotations

from bluewatt.schema import Proof, Record, coded, sint, uint
from bluewatt.tables.enums import ChargerError, DeviceState


class InverterRs(Record, record_type=0x06, title="Inverter RS", proof=Proof.DOCUMENTED):
    """What an Inverter RS advertises; voltage before current, unlike a Multi RS."""

    device_state: DeviceState | None = coded(8, DeviceState, na=0xFF)
    charger_error: ChargerError | None = coded(8, ChargerError, na=0xFF)
    battery_voltage: float | None = sint(16, "V", step="0.01", na=0x7FFF)
    battery_current: float | None = sint(16, "A", step="0.1", na=0x7FFF)
    pv_power: int | None = uint(16, "W", na=0xFFFF)
    yield_today: float | None = uint(16, "kWh", step="0.01", na=0xFFFF)
    ac_out_power: int | None = sint(16, "W", na=0x7FFF)
