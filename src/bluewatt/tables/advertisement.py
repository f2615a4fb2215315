"""The container around a record: the header of Victron manufacturer data (protocol page instant-readout, section 1)."""

from __future__ import annotations

from bluewatt.schema import Proof, Record, uint

PRODUCT_ADVERTISEMENT = 0x10
"""First byte of product advertisements, with or without a record behind it."""

VESMART_COUNTER = 0x01
VESMART_DATA = 0x02
"""First bytes of VE.Smart networking broadcasts (section 8; protocol page vesmart-networking)."""

LONGEST_RECORD = 16
"""The most bytes of a record: legacy advertising carries 24 after the company identifier, eight of them the header."""


class AdvertHeader(Record, title="Advertisement header", proof=Proof.CAPTURED):
    """The eight bytes before a record; an advertisement without a record ends after the product id."""

    manufacturer_record: int | None = uint(8)
    # 0x02 behind a VE.Direct chip, 0x03 on a VE.Bus dongle, 0x00 on single-chip products (seen in captures): read as
    # "which part of the product", and ignored (inferred). Bit 7 is NOT_CONNECTABLE.
    identifier: int | None = uint(8)
    product_id: int | None = uint(16)
    kind: int | None = uint(8)
    nonce: int | None = uint(16)
    key_check: int | None = uint(8)


NOT_CONNECTABLE = 0x80
"""The bit of the identifier that says that the device takes no connection now (section 1: 0x02 connectable, 0x82 not,
as a vendor engineer wrote; 0x80 by analogy: single source)."""

IDENTIFIERS = {0x01: 0x02, 0x02: 0x02, 0x03: 0x02, 0x0D: 0x02, 0x0C: 0x03}
"""The identifier byte seen with each record type; 0x00 with all others."""


class ProductOnly(Record, record_name="product", title="Product advertisement without a record", proof=Proof.CAPTURED):
    """What a device advertises while Instant Readout is off: its product id and nothing else."""
