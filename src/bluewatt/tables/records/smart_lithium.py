"""Record type 0x05: Smart Lithium batteries (page instant-readout, section 4)."""

from __future__ import annotations

from bluewatt.schema import Proof, Record, coded, flags, several, uint
from bluewatt.tables.enums import BalancerStatus, BmsFlags, SmartLithiumError


class SmartLithium(Record, record_type=0x05, title="Smart Lithium battery", proof=Proof.CAPTURED):
    """What a Smart Lithium battery advertises; a cell of 2.60 V means "2.60 or less", one of 3.86 V "3.86 or more"."""

    bms_flags: BmsFlags | None = flags(32, BmsFlags)
    smart_lithium_error: SmartLithiumError | None = flags(16, SmartLithiumError)
    # Seven bits cannot hold the 0xFF that the vendor's document prints for "not available".
    cell_voltages: tuple[float | None, ...] | None = several(8, uint(7, "V", step="0.01", bias="2.60", na=0x7F))
    battery_voltage: float | None = uint(12, "V", step="0.01", na=0xFFF)
    balancer_status: BalancerStatus | None = coded(4, BalancerStatus, na=0xF)
    battery_temperature: int | None = uint(7, "°C", bias="-40", na=0x7F)
