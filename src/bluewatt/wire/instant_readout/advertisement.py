"""Advertisements from and to bytes: the container, the cipher and the record in one step (page instant-readout).

`data` is always the manufacturer data after the company identifier; a leading E1 02, which some stacks leave in front,
is accepted.
"""

from __future__ import annotations

import struct

import msgspec

from bluewatt.errors import KeyMismatch, KeyMissing, Malformed, Unencodable, UnknownType
from bluewatt.schema import Record
from bluewatt.tables.advertisement import (
    IDENTIFIERS,
    NOT_CONNECTABLE,
    PRODUCT_ADVERTISEMENT,
    VESMART_COUNTER,
    VESMART_DATA,
    AdvertHeader,
    ProductOnly,
)
from bluewatt.tables.gatt import COMPANY_ID
from bluewatt.tables.records import EXTENDED_TYPE, record_class
from bluewatt.wire.instant_readout.cipher import BLOCK, Key, ShortKey, apply, key_for, key_stream, next_stream
from bluewatt.wire.instant_readout.records import decode_bits, decode_record, encode_record, refuse_text
from bluewatt.wire.row_compiler import decoder

_COMPANY = COMPANY_ID.to_bytes(2, "little")
_WIDTHS = {8: "B", 16: "H"}
_HEADER = struct.Struct("<" + "".join(_WIDTHS[row.bits] for row in AdvertHeader.rows))
_unpack_header = _HEADER.unpack_from
_ONES = tuple((1 << 8 * length) - 1 for length in range(BLOCK + 1))
"""All bits of a record, by its length in bytes."""
HEADER_LENGTH = _HEADER.size
HEADER_FIXED = next(row.start for row in AdvertHeader.rows if row.name == "nonce") // 8
"""The number of bytes at the start that are the same in all advertisements of a device with one record type."""
PRODUCT_LENGTH = next(row.end for row in AdvertHeader.rows if row.name == "product_id") // 8


class Advertisement(msgspec.Struct, frozen=True, gc=False):
    """One product advertisement, its record still encrypted; `record_type` is None if there is no record."""

    product_id: int
    identifier: int = 0
    record_type: int | None = None
    """0xFFnn for the extended types."""
    nonce: int = 0
    key_check: int = 0
    """The first byte of the key; in the extended types the low byte of the record type."""
    body: bytes = b""
    """The record as it was sent: encrypted, except the extended types."""

    @property
    def sealed(self) -> bool:
        """Whether a key is needed to read the record."""
        return self.record_type is not None and self.record_type >> 8 != EXTENDED_TYPE

    @property
    def connectable(self) -> bool:
        """Whether the device says that it takes connections now: a hint (single source), not needed for decoding."""
        return not self.identifier & NOT_CONNECTABLE

    @property
    def has_record(self) -> bool:
        """Whether there is a record to decode at all."""
        return self.record_type is not None


def strip_company(data: bytes) -> bytes:
    """Return the manufacturer data without the company identifier that some stacks leave in front."""
    return data[2:] if data[:2] == _COMPANY and data[2:3] == bytes([PRODUCT_ADVERTISEMENT]) else data


def is_vesmart(data: bytes) -> bool:
    """Return whether the data is a VE.Smart networking broadcast, by its first byte."""
    return data[:1] in (bytes([VESMART_COUNTER]), bytes([VESMART_DATA]))


def refuses_connections(data: bytes) -> bool:
    """Return whether manufacturer data is a product advertisement of a device that says it takes no connection now."""
    data = strip_company(data)
    return len(data) >= PRODUCT_LENGTH and data[0] == PRODUCT_ADVERTISEMENT and bool(data[1] & NOT_CONNECTABLE)


def parse_advertisement(data: bytes) -> Advertisement:
    """Return the container of a product advertisement, its record still encrypted.

    An advertisement that ends after the product id, or whose header has nothing behind it, has no record. UnknownType
    for anything that is not a product advertisement (VE.Smart networking, named as such), Malformed for a product
    advertisement too short to hold its product id. TypeError for hex text in place of bytes.
    """
    data = strip_company(data)
    if len(data) < HEADER_LENGTH or data[0] != PRODUCT_ADVERTISEMENT:
        return _parse_short(data)
    _, identifier, product_id, record_type, nonce, key_check = _unpack_header(data)
    body = bytes(data[HEADER_LENGTH:])
    if not body or _is_idle_dongle(record_type, nonce, key_check, body):
        return Advertisement(product_id, identifier)
    if record_type == EXTENDED_TYPE:
        record_type = EXTENDED_TYPE << 8 | key_check
    return Advertisement(product_id, identifier, record_type, nonce, key_check, body)


def _parse_short(data: bytes) -> Advertisement:
    refuse_text(data)  # here, so that bytes are not checked in every advertisement
    if not data:
        raise Malformed("an empty advertisement")
    if is_vesmart(data):
        raise UnknownType("a VE.Smart networking broadcast, not Instant Readout", type_number=data[0], raw=bytes(data))
    if data[0] != PRODUCT_ADVERTISEMENT:
        raise UnknownType(
            f"manufacturer record {data[0]:#04x} is not a product advertisement", type_number=data[0], raw=bytes(data)
        )
    if len(data) < PRODUCT_LENGTH:
        raise Malformed(
            f"a product advertisement ends after byte {len(data)}, it takes {PRODUCT_LENGTH} to name the product"
        )
    return Advertisement(int.from_bytes(data[2:PRODUCT_LENGTH], "little"), data[1])


def _is_idle_dongle(record_type: int, nonce: int, key_check: int, body: bytes) -> bool:
    """Return whether a dongle with an unsupported device sent it: type 0, nonce 0, key 0 and one byte repeated."""
    return not (record_type or nonce or key_check) and len(set(body)) == 1


def decode_advertisement(data: bytes, key: bytes | str | ShortKey | None = None) -> Record:
    """Return the record of an advertisement; `key` is 16 bytes or 32 hex digits, not needed for unsealed records.

    Of a key whose first digit the app hid, 31 digits are enough: the advertisement has it.

    Without a record the result is a ProductOnly. Raises KeyMissing, KeyMismatch (by the key's first byte alone:
    a key that passes may still be wrong, see `bluewatt.model.trust.key_verdict`), UnknownType, Malformed; TypeError for
    hex text in place of bytes.
    """
    if len(data) <= HEADER_LENGTH or data[0] != PRODUCT_ADVERTISEMENT:
        return _decode_unusual(data, key)
    _, _, _, record_type, nonce, key_check = _unpack_header(data)
    cls = record_class(record_type)
    if cls is None or key is None or not (record_type or nonce or key_check):
        return _decode_unusual(data, key)
    if type(key) is not Key:
        key = key_for(key, key_check)
    if key[0] != key_check:
        raise KeyMismatch(mismatch(key, key_check))
    length = len(data) - HEADER_LENGTH
    if 8 * length >= cls.bits > 0:  # the rows of every layout end within one block
        sealed = int.from_bytes(data[HEADER_LENGTH : HEADER_LENGTH + BLOCK], "little")
        return decoder(cls)(sealed ^ int.from_bytes(key_stream(key, nonce), "little"))
    return decode_bits(cls, _opened_bits(data[HEADER_LENGTH:], key, nonce), length)


def mismatch(key: bytes, key_check: int) -> str:
    """Return the sentence about a key that cannot be the device's."""
    return f"the key begins with {key[0]:02x}, the device's with {key_check:02x}: an old or another device's key"


def _decode_unusual(data: bytes, key: bytes | str | ShortKey | None) -> Record:
    advertisement = parse_advertisement(data)
    if not advertisement.has_record:
        return ProductOnly()
    return open_advertisement(advertisement, key)


def open_bits(advertisement: Advertisement, key: Key | None) -> int:
    """Return the bits of a record as one little-endian integer, opened with `key` (None: not encrypted), unchecked."""
    if key is None:
        return int.from_bytes(advertisement.body, "little")
    return _opened_bits(advertisement.body, key, advertisement.nonce)


def _opened_bits(body: bytes, key: bytes, nonce: int) -> int:
    """Return the bits of a sealed record of any length: all that was sent, and nothing that was not."""
    stream = key_stream(key, nonce, len(body))[: len(body)]
    return int.from_bytes(body, "little") ^ int.from_bytes(stream, "little")


def open_at_once(data: bytes, key: Key) -> tuple[int, int] | None:
    """Return (nonce, bits of the record) of encrypted data with a whole header.

    None if the key does not fit or the header is invalid; the same as `parse_advertisement` and `open_bits` in two
    steps, for streams of advertisements that are all alike.
    """
    manufacturer_record, _, _, record_type, nonce, key_check = _unpack_header(data)
    if key_check != key[0] or manufacturer_record != PRODUCT_ADVERTISEMENT or not (record_type or nonce or key_check):
        return None
    body = data[HEADER_LENGTH:]
    if len(body) > BLOCK:
        return nonce, _opened_bits(body, key, nonce)
    return nonce, int.from_bytes(body, "little") ^ next_stream(key, nonce) & _ONES[len(body)]


def open_advertisement(advertisement: Advertisement, key: bytes | str | ShortKey | None) -> Record:
    """Return the record of a parsed advertisement; errors as in `decode_advertisement`, Malformed without one."""
    if advertisement.record_type is None:
        raise Malformed("the advertisement carries no record")
    cls = record_class(advertisement.record_type)
    if cls is None or not advertisement.sealed:
        return decode_record(advertisement.record_type, advertisement.body)
    if key is None:
        raise KeyMissing(f"the {cls.title.lower()} record is encrypted: give the device's key")
    key = key_for(key, advertisement.key_check)
    if key[0] != advertisement.key_check:
        raise KeyMismatch(mismatch(key, advertisement.key_check))
    return decode_bits(cls, open_bits(advertisement, key), len(advertisement.body))


def build_advertisement(
    record: Record, *, product_id: int, key: bytes | str | None = None, nonce: int = 0, identifier: int | None = None
) -> bytes:
    """Return the manufacturer data of a record as a device sends it; encrypted with `key`, except the extended types.

    `identifier` is the undocumented second byte; by default what devices with this record were seen to send.
    Unencodable without a key for a sealed record, or for numbers that do not fit.
    """
    if not (0 <= product_id <= 0xFFFF and 0 <= nonce <= 0xFFFF):
        raise Unencodable(f"product id {product_id:#x} and nonce {nonce:#x} have 16 bits")
    if identifier is not None and not 0 <= identifier <= 0xFF:
        raise Unencodable(f"identifier {identifier:#x} has 8 bits")
    if record.record_type is None:
        return _HEADER.pack(PRODUCT_ADVERTISEMENT, identifier or 0, product_id, 0, 0, 0)[:PRODUCT_LENGTH]
    if identifier is None:
        identifier = IDENTIFIERS.get(record.record_type, 0)
    plain = encode_record(record)
    if record.record_type >> 8 == EXTENDED_TYPE:
        kind, check = EXTENDED_TYPE, record.record_type & 0xFF
        return _HEADER.pack(PRODUCT_ADVERTISEMENT, identifier, product_id, kind, nonce, check) + plain
    if key is None:
        raise Unencodable(f"the {record.title.lower()} record is encrypted: give a key")
    key = Key.of(key)
    head = _HEADER.pack(PRODUCT_ADVERTISEMENT, identifier, product_id, record.record_type, nonce, key[0])
    return head + apply(key, nonce, plain)
