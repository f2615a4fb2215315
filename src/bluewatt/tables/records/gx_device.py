"""Record type 0x07: GX devices (page instant-readout, section 4; provisional, no bytes are public)."""

from __future__ import annotations

from bluewatt.schema import Proof, Record, sint, uint


class GxDevice(Record, record_type=0x07, title="GX device", proof=Proof.DOCUMENTED):
    """What a GX device is said to advertise about its whole system."""

    battery_voltage: float | None = uint(16, "V", step="0.01", na=0xFFFF)
    pv_power: int | None = uint(20, "W", na=0xFFFFF)
    state_of_charge: int | None = uint(7, "%", na=0x7F)
    battery_power: int | None = sint(21, "W", na=0x0FFFFF)
    dc_power: int | None = sint(21, "W", na=0x0FFFFF)
