"""Records from and to plain bytes (protocol page instant-readout, section 3): total, exact, from the rows alone."""

from __future__ import annotations

import msgspec

from bluewatt.errors import UnknownType
from bluewatt.schema import Record
from bluewatt.tables.records import record_class
from bluewatt.wire.row_compiler import decoder, raw_bits


def decode_record(record_type: int, plaintext: bytes) -> Record:
    """Return the record in `plaintext` (already decrypted).

    A short record yields the fields it holds, the others None; a long one is read as far as the layout goes. Nothing
    raises on a value. UnknownType if nobody has described `record_type` (0xFFnn for the extended types), TypeError
    for hex text in place of bytes.
    """
    refuse_text(plaintext)
    cls = record_class(record_type)
    if cls is None:
        raise UnknownType(
            f"record type {record_type:#04x} has no known layout", type_number=record_type, raw=bytes(plaintext)
        )
    return decode_as(cls, plaintext)


def refuse_text(data: object) -> None:
    """Raise TypeError for a text where bytes belong, with the way to get them."""
    if isinstance(data, str):
        raise TypeError("data are bytes, not a text: bytes.fromhex(text) makes them from hex digits")


def decode_as(cls: type[Record], plaintext: bytes) -> Record:
    """Return the record of a known class in `plaintext`."""
    return decode_bits(cls, int.from_bytes(plaintext, "little"), len(plaintext))


def decode_bits(cls: type[Record], bits: int, length: int) -> Record:
    """Return the record of a known class in `length` bytes given as one little-endian integer."""
    present = 8 * length
    if present >= cls.bits > 0:
        return decoder(cls)(bits)
    if cls.rows and cls.rows[0].raw:
        return cls(bits.to_bytes(length, "little"))
    filled = bits | -1 << present & (1 << cls.bits) - 1
    missing = {row.name: None for row in cls.rows if row.end > present}
    return msgspec.structs.replace(decoder(cls)(filled), **missing)


def encode_record(record: Record) -> bytes:
    """Return a record as bytes of canonical length; spare bits are ones, masks without a value zeros.

    Unencodable for a value a row cannot hold.
    """
    if record.rows and record.rows[0].raw:
        rest: bytes = getattr(record, record.rows[0].name) or b""
        return rest
    return raw_bits(record).to_bytes(record.length(), "little")
