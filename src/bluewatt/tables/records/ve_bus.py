"""Record type 0x0C: VE.Bus inverter/chargers behind a VE.Bus Smart dongle (page instant-readout, section 4)."""

from __future__ import annotations

from bluewatt.schema import Proof, Record, coded, sint, uint
from bluewatt.tables.enums import ActiveAcIn, DeviceState, VeBusAlarm, VeBusError


class VeBus(Record, record_type=0x0C, title="VE.Bus inverter/charger", proof=Proof.CAPTURED):
    """What a MultiPlus or Quattro advertises; the product is the inverter's; input power below 0 feeds in."""

    device_state: DeviceState | None = coded(8, DeviceState, na=0xFF)
    vebus_error: VeBusError | None = coded(8, VeBusError, na=0xFF)
    battery_current: float | None = sint(16, "A", step="0.1", na=0x7FFF)
    battery_voltage: float | None = uint(14, "V", step="0.01", na=0x3FFF)
    active_ac_in: ActiveAcIn | None = coded(2, ActiveAcIn, na=3)
    active_ac_in_power: int | None = sint(19, "W", na=0x3FFFF)
    ac_out_power: int | None = sint(19, "W", na=0x3FFFF)
    alarm: VeBusAlarm | None = coded(2, VeBusAlarm, na=3)
    battery_temperature: int | None = uint(7, "°C", bias="-40", na=0x7F)
    state_of_charge: int | None = uint(7, "%", na=0x7F)
