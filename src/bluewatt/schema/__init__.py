"""The language of the tables: named numbers, rows of bits, records of rows.

A record is described once, as a class of one-line rows::

    class Inverter(Record, record_type=0x03, proof=Proof.CAPTURED):
        device_state: DeviceState | None = coded(8, DeviceState, na=0xFF)
        battery_voltage: float | None = sint(16, "V", step="0.01", na=0x7FFF)

Everything reads the rows: decoder, encoder, batch decoder, emulator, Wireshark dissector, reference page. A record on
the wire is a little-endian bit stream (protocol page instant-readout, section 3): bit n is bit n mod 8 of byte n div 8,
rows follow each other from bit 0, and the bits left over in the last byte are ones.
"""

from __future__ import annotations

from bluewatt.schema.named_numbers import Code, Flags, Name, TwoBitFields
from bluewatt.schema.records import Record
from bluewatt.schema.rows import (
    Proof,
    Row,
    Scale,
    coded,
    flags,
    piecewise,
    several,
    sint,
    uint,
    unknown_rest,
    unspecified,
)

__all__ = [
    "Code",
    "Flags",
    "Name",
    "Proof",
    "Record",
    "Row",
    "Scale",
    "TwoBitFields",
    "coded",
    "flags",
    "piecewise",
    "several",
    "sint",
    "uint",
    "unknown_rest",
    "unspecified",
]
