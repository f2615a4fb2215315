"""Record type 0x0E: Smart BMS 12-200 and its kin, of unpublished layout (page instant-readout, section 4)."""

from __future__ import annotations

from bluewatt.schema import Proof, Record, unknown_rest


class SmartBms(Record, record_type=0x0E, title="Smart BMS", proof=Proof.UNPROVEN):
    """The bytes of a Smart BMS record, kept as they are: one record of 14 bytes is public, its layout is not."""

    raw: bytes | None = unknown_rest()
