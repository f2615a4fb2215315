"""Record type 0x08: AC chargers (page instant-readout, section 4)."""

from __future__ import annotations

from bluewatt.schema import Proof, Record, coded, uint
from bluewatt.tables.enums import ChargerError, DeviceState


class AcCharger(Record, record_type=0x08, title="AC charger", proof=Proof.CAPTURED):
    """What a Blue Smart or Phoenix Smart charger advertises for up to three battery outputs."""

    device_state: DeviceState | None = coded(8, DeviceState, na=0xFF)
    charger_error: ChargerError | None = coded(8, ChargerError, na=0xFF)
    battery_voltage_1: float | None = uint(13, "V", step="0.01", na=0x1FFF)
    battery_current_1: float | None = uint(11, "A", step="0.1", na=0x7FF)
    battery_voltage_2: float | None = uint(13, "V", step="0.01", na=0x1FFF, proof=Proof.DOCUMENTED)
    battery_current_2: float | None = uint(11, "A", step="0.1", na=0x7FF, proof=Proof.DOCUMENTED)
    battery_voltage_3: float | None = uint(13, "V", step="0.01", na=0x1FFF, proof=Proof.DOCUMENTED)
    battery_current_3: float | None = uint(11, "A", step="0.1", na=0x7FF, proof=Proof.DOCUMENTED)
    temperature: int | None = uint(7, "°C", bias="-40", na=0x7F)
    ac_current: float | None = uint(9, "A", step="0.1", na=0x1FF, proof=Proof.DOCUMENTED)
