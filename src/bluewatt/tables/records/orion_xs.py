"""Record type 0x0F: Orion XS (page instant-readout, section 4).

Not in the vendor's document. Whether output voltage and current are signed is open: no sample tells; they are read as
unsigned (values above 327 V do not occur), and both patterns for "not available" count.
"""

from __future__ import annotations

from bluewatt.schema import Proof, Record, coded, flags, uint
from bluewatt.tables.enums import ChargerError, DeviceState, OffReason


class OrionXs(Record, record_type=0x0F, title="Orion XS", proof=Proof.CAPTURED):
    """What an Orion XS DC/DC battery charger advertises."""

    device_state: DeviceState | None = coded(8, DeviceState, na=0xFF)
    charger_error: ChargerError | None = coded(8, ChargerError, na=0xFF)
    output_voltage: float | None = uint(16, "V", step="0.01", na=(0xFFFF, 0x7FFF))
    output_current: float | None = uint(16, "A", step="0.1", na=(0xFFFF, 0x7FFF))
    input_voltage: float | None = uint(16, "V", step="0.01", na=0xFFFF)
    input_current: float | None = uint(16, "A", step="0.1", na=0xFFFF)
    off_reason: OffReason | None = flags(32, OffReason)
