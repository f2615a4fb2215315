"""Record type 0x00: the vendor's test record (page instant-readout, section 4; no bytes are public)."""

from __future__ import annotations

from bluewatt.schema import Proof, Record, uint


class VendorTest(Record, record_type=0x00, record_name="test", title="Test record", proof=Proof.DOCUMENTED):
    """Uptime and temperature of a device in the vendor's test."""

    uptime: int | None = uint(30, "s", na=0x3FFFFFFF)
    # The vendor's document prints 0xFF as "not available", which seven bits cannot hold.
    temperature: int | None = uint(7, "°C", bias="-40", na=0x7F)
