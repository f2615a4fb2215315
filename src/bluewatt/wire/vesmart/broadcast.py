"""VE.Smart networking broadcasts: chargers and sensors share register values in encrypted advertisements.

A payload here is the manufacturer data after the company identifier, as a Frame carries it. Source: protocol page
vesmart-networking. The layout rests on a single public implementation and no captured packet has been published, so the
reading is tolerant: an unknown kind of content or an odd length is kept as bytes. Register numbers and raw bytes come
out; what they mean is in the register table.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, NamedTuple

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESCCM

from bluewatt.errors import KeyMismatch, KeyMissing, KeyProblem, Malformed, Unencodable, UnknownType
from bluewatt.tables.advertisement import VESMART_COUNTER, VESMART_DATA
from bluewatt.tables.vesmart import (
    CONTENT,
    CONTENT_KINDS,
    FIRST_PREFIX_LETTER,
    HEADER,
    LONGEST_CONTENT,
    LONGEST_LEGACY_CONTENT,
    NETWORK_ID_SIZE,
    NONCE,
    OVERFLOW,
    REGISTER_VALUE,
    SERIAL_DIGITS,
    SERIAL_LENGTH,
    SERIAL_SUFFIX_LENGTH,
    TAG_SIZE,
    Part,
)
from bluewatt.wire.instant_readout.advertisement import is_vesmart
from bluewatt.wire.instant_readout.cipher import Key


class StructLayout:
    """The rows of a layout as one compiled struct: fields by name to bytes and back."""

    def __init__(self, parts: tuple[Part, ...]) -> None:
        self._names = tuple(part.name for part in parts)
        self._struct = struct.Struct("<" + "".join(part.format for part in parts))
        self.size = self._struct.size

    def unpack(self, data: bytes, start: int = 0) -> dict[str, Any]:
        """Return the fields at `start`; raises Malformed when the bytes end before them."""
        if len(data) < start + self.size:
            raise Malformed(f"{len(data)} bytes, at least {start + self.size} expected")
        return dict(zip(self._names, self._struct.unpack_from(data, start), strict=True))

    def pack(self, fields: Mapping[str, Any]) -> bytes:
        """Return the bytes of the named fields; raises Unencodable for a number that is too large."""
        try:
            return self._struct.pack(*(fields[name] for name in self._names))
        except struct.error as error:
            raise Unencodable(str(error)) from None


_HEADER: Final = StructLayout(HEADER)
_OVERFLOW_HEADER: Final = StructLayout(HEADER + OVERFLOW)
_NONCE: Final = StructLayout(NONCE)
_CONTENT: Final = StructLayout(CONTENT)
_REGISTER_VALUE: Final = StructLayout(REGISTER_VALUE)


@dataclass(frozen=True)
class Network:
    """A VE.Smart network we belong to: two bytes of identifier, a key that is never printed, a name for people."""

    network_id: bytes
    key: Key
    name: str = ""

    @classmethod
    def of(cls, network_id: bytes | str, key: bytes | str, name: str = "") -> Network:
        """Return a network from 2 and 16 bytes, or from 4 and 32 hex digits; raises KeyProblem for anything else."""
        try:
            identifier = bytes.fromhex(network_id) if isinstance(network_id, str) else network_id
        except ValueError:
            raise KeyProblem(f"a network identifier is written in hex digits, not {network_id!r}") from None
        if len(identifier) != NETWORK_ID_SIZE:
            raise KeyProblem(f"a network identifier has {2 * NETWORK_ID_SIZE} hex digits, not {2 * len(identifier)}")
        return cls(identifier, Key.of(key), name)

    @property
    def group(self) -> int:
        """The byte of the identifier that stands in every broadcast."""
        return self.network_id[0]

    @cached_property
    def cipher(self) -> AESCCM:
        """AES-128 in CCM mode with this network's key and the 4-byte tag (section 3)."""
        return AESCCM(self.key, tag_length=TAG_SIZE)


def serial_text(number: int, *, date: str = "????") -> str:
    """Return the printed form of a serial number, such as "HQ????MAEI4".

    The year and week (`date`) of a printed serial are not in the number (section 5, confirmed by captured pairs).
    """
    prefix, rest = divmod(number, len(SERIAL_DIGITS) ** SERIAL_SUFFIX_LENGTH)
    first, second = divmod(prefix, 26)
    suffix = ""
    for _ in range(SERIAL_SUFFIX_LENGTH):
        rest, digit = divmod(rest, len(SERIAL_DIGITS))
        suffix = SERIAL_DIGITS[digit] + suffix
    return chr(ord(FIRST_PREFIX_LETTER) + first) + chr(ord("A") + second) + date + suffix


def serial_number(text: str) -> int:
    """Return the 32-bit number of a printed serial such as "HQ2104VESU7"; raises Unencodable when it has none."""
    printed = text.upper()
    prefix, suffix = printed[:2], printed[-SERIAL_SUFFIX_LENGTH:]
    known = printed.isascii() and prefix.isalpha() and suffix.isalnum()
    if not known or len(printed) != SERIAL_LENGTH:
        raise Unencodable(f"{text!r} is no serial number of two letters, four digits and five more characters")
    first, second = ord(prefix[0]) - ord(FIRST_PREFIX_LETTER), ord(prefix[1]) - ord("A")
    number = (first * 26 + second) * len(SERIAL_DIGITS) ** SERIAL_SUFFIX_LENGTH + int(suffix, len(SERIAL_DIGITS))
    if not 0 <= number < 1 << 32:
        raise Unencodable(f"the serial number {text!r} does not fit 32 bits")
    return number


class Broadcast(msgspec.Struct, frozen=True):
    """One broadcast as it is on air, still encrypted."""

    record_type: int
    group: int
    """The first byte of the network identifier; not covered by the tag."""
    serial: int
    sequence: int
    tag: bytes
    overflow: int | None = None
    """The high part of the message counter; in an overflow record only."""
    ciphertext: bytes = b""

    @property
    def sender(self) -> str:
        """The printed serial number of the sender, its date unknown."""
        return serial_text(self.serial)


class BroadcastValue(NamedTuple):
    """One register of a broadcast, its value in the bytes of the register table."""

    register: int
    raw: bytes


class BroadcastContent(msgspec.Struct, frozen=True):
    """The plaintext of a data record: register values, and what could not be read as such."""

    records: tuple[BroadcastValue, ...]
    kind: int = CONTENT_KINDS[0]
    rest: bytes = b""

    @property
    def understood(self) -> bool:
        """Whether the kind of content is one whose register values are read."""
        return self.kind in CONTENT_KINDS

    @property
    def malformed(self) -> bool:
        """Whether the last value runs past the end; the values before it are good."""
        return self.understood and bool(self.rest)


def parse_broadcast(payload: bytes) -> Broadcast:
    """Return the parts of a broadcast, not yet authenticated.

    Raises UnknownType for another record type, Malformed for a wrong length. What follows an overflow
    record is ignored.
    """
    if not is_vesmart(payload):
        number = payload[0] if payload else None
        raise UnknownType("not a VE.Smart networking broadcast", type_number=number, raw=payload)
    if payload[0] == VESMART_COUNTER:
        fields, end = _OVERFLOW_HEADER.unpack(payload), _OVERFLOW_HEADER.size + TAG_SIZE
        if len(payload) < end:
            raise Malformed(f"an overflow record has {end} bytes, not {len(payload)}")
        return Broadcast(**fields, tag=payload[_OVERFLOW_HEADER.size : end])
    size = len(payload) - _HEADER.size - TAG_SIZE
    if not 1 <= size <= LONGEST_CONTENT:
        raise Malformed(f"a data record of {len(payload)} bytes has no content or too much")
    return Broadcast(**_HEADER.unpack(payload), ciphertext=payload[_HEADER.size : -TAG_SIZE], tag=payload[-TAG_SIZE:])


def build_broadcast(broadcast: Broadcast) -> bytes:
    """Return the payload of a broadcast, the inverse of `parse_broadcast`; Unencodable if a number is too large."""
    layout = _HEADER if broadcast.overflow is None else _OVERFLOW_HEADER
    return layout.pack(msgspec.structs.asdict(broadcast)) + broadcast.ciphertext + broadcast.tag


def unseal(broadcast: Broadcast, network: Network, overflow: int) -> bytes:
    """Return the authenticated plaintext of a broadcast; empty for an overflow record.

    `overflow` is the counter of the record itself, or for a data record the last one heard from its sender.
    Raises KeyMissing when the broadcast is of another network, KeyMismatch when the tag does not verify: a network with
    the same first identifier byte, an overflow counter that is out of date, or a wrong key.
    """
    if broadcast.group != network.group:
        raise KeyMissing(f"no key is known for VE.Smart network {broadcast.group:02x}..")
    try:
        return network.cipher.decrypt(_nonce(broadcast, network, overflow), broadcast.ciphertext + broadcast.tag, None)
    except InvalidTag:
        raise KeyMismatch(
            f"the broadcast of {broadcast.sender} does not belong to network {network.network_id.hex()}"
        ) from None


def seal(network: Network, *, serial: int, sequence: int, overflow: int, plaintext: bytes = b"") -> Broadcast:
    """Return a broadcast of a network: a data record around `plaintext`, or an overflow record without one.

    The caller must never seal twice with the same serial and counter: the safety of the key depends on it.
    """
    bare = Broadcast(
        record_type=VESMART_DATA if plaintext else VESMART_COUNTER,
        group=network.group,
        serial=serial,
        sequence=sequence,
        tag=b"",
        overflow=None if plaintext else overflow,
    )
    sealed = network.cipher.encrypt(_nonce(bare, network, overflow), plaintext, None)
    return msgspec.structs.replace(bare, ciphertext=sealed[:-TAG_SIZE], tag=sealed[-TAG_SIZE:])


def _nonce(broadcast: Broadcast, network: Network, overflow: int) -> bytes:
    fields = msgspec.structs.asdict(broadcast) | {"overflow": overflow, "network_id": network.network_id}
    return _NONCE.pack(fields)


def parse_content(plaintext: bytes) -> BroadcastContent:
    """Return the register values of a plaintext; raises Malformed when it is empty.

    A value that runs past the end is left in `rest`, as is everything in an unknown kind of content.
    """
    if not plaintext:
        raise Malformed("a data record without content")
    records: list[BroadcastValue] = []
    position = 1
    while plaintext[0] in CONTENT_KINDS and len(plaintext) >= position + _REGISTER_VALUE.size:
        fields = _REGISTER_VALUE.unpack(plaintext, position)
        start = position + _REGISTER_VALUE.size
        if len(plaintext) < start + fields["length"]:
            break
        position = start + fields["length"]
        records.append(BroadcastValue(fields["register"], plaintext[start:position]))
    return BroadcastContent(tuple(records), plaintext[0], plaintext[position:])


def build_content(content: BroadcastContent, *, longest: int = LONGEST_LEGACY_CONTENT) -> bytes:
    """Return the plaintext of some content, the inverse of `parse_content`.

    Raises Unencodable past `longest` bytes: by default what a legacy advertisement holds.
    """
    plaintext = _CONTENT.pack({"kind": content.kind}) + b"".join(map(_pack_value, content.records)) + content.rest
    if len(plaintext) > longest:
        raise Unencodable(f"{len(plaintext)} bytes of content do not fit into {longest}")
    return plaintext


def _pack_value(value: BroadcastValue) -> bytes:
    return _REGISTER_VALUE.pack({"register": value.register, "length": len(value.raw)}) + value.raw
