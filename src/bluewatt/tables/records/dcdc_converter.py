"""Record type 0x04: DC/DC converters (page instant-readout, section 4)."""

from __future__ import annotations

from bluewatt.schema import Proof, Record, coded, flags, sint, uint
from bluewatt.tables.enums import ChargerError, DeviceState, OffReason


class DcdcConverter(Record, record_type=0x04, title="DC/DC converter", proof=Proof.CAPTURED):
    """What an Orion Smart or Orion-Tr Smart advertises; the output voltage is absent while it is off."""

    device_state: DeviceState | None = coded(8, DeviceState, na=0xFF)
    charger_error: ChargerError | None = coded(8, ChargerError, na=0xFF)
    input_voltage: float | None = uint(16, "V", step="0.01", na=0xFFFF)
    output_voltage: float | None = sint(16, "V", step="0.01", na=0x7FFF, proof=Proof.DOCUMENTED)
    off_reason: OffReason | None = flags(32, OffReason)
