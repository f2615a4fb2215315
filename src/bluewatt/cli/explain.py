"""One advertisement opened and explained in words: what it is, whether the key is right, every field with its bits.

Prints plain text and imports no terminal library: `bluewatt decode HEX` should be there at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from bluewatt.cli.tally import counted
from bluewatt.cli.words import label, shown, value_text
from bluewatt.errors import KeyMismatch, KeyMissing, WireError
from bluewatt.model.identity import Device
from bluewatt.model.keys import KeyRing
from bluewatt.model.reading import Frame, Reading, Undecoded
from bluewatt.model.trust.evidence import Judgement, judge
from bluewatt.model.trust.unnamed_codes import unfamiliar
from bluewatt.schema import Record, Row
from bluewatt.tables.products import product_name
from bluewatt.tables.records import record_class
from bluewatt.wire.instant_readout.advertisement import HEADER_LENGTH, Advertisement, mismatch, parse_advertisement
from bluewatt.wire.instant_readout.cipher import Key, apply
from bluewatt.wire.instant_readout.records import decode_as, decode_record

NOWHERE = "unknown"
"""Stands for the address where the text has none."""


class Opened(msgspec.Struct):
    """What one advertisement, looked at alone, is."""

    outcome: Reading | Undecoded
    advertisement: Advertisement | None = None
    plain: bytes = b""
    """The record, opened."""
    evidence: float | None = None
    """Bits for the key, None where no key was needed or none opened it."""
    note: str = ""
    """What a person should know about the key."""


def open_one(frame: Frame, keys: KeyRing) -> Opened:
    """Open an advertisement alone; without its neighbours, a key is refuted where several fields fail together."""
    try:
        advertisement = parse_advertisement(frame.payload)
    except WireError as error:
        return Opened(_undecoded(frame, None, type(error).__name__, str(error)))
    try:
        return _open(frame, advertisement, keys)
    except (WireError, KeyMissing, KeyMismatch) as error:
        return Opened(_undecoded(frame, advertisement, type(error).__name__, str(error)), advertisement)


def _open(frame: Frame, advertisement: Advertisement, keys: KeyRing) -> Opened:
    kind = advertisement.record_type
    if kind is None:
        from bluewatt.model.receiver import NO_RECORD  # here: the start is faster without the receiver

        why = "it names the product only: Instant Readout is switched off on the device"
        return Opened(_undecoded(frame, advertisement, NO_RECORD, why), advertisement)
    cls = record_class(kind)
    if cls is None or not advertisement.sealed:
        record = decode_record(kind, advertisement.body)
        return Opened(_reading(frame, advertisement, record), advertisement, advertisement.body)
    best = max((_try(advertisement, cls, key) for key in _fitting(frame, advertisement, cls, keys)), key=_weight)
    record, plain, judgement, used = best
    if judgement.incredible:
        raise KeyMismatch(
            "the key's first byte fits, the content does not: this is another device's key, or an old one"
        )
    completed = keys.completed.get(frame.address) == used
    note = f"its first digit, which the app hid, is {used[0] >> 4:x}: write it in front of the 31" if completed else ""
    return Opened(_reading(frame, advertisement, record), advertisement, plain, judgement.evidence, note)


def _weight(tried: tuple[Record, bytes, Judgement, Key]) -> float:
    return tried[2].evidence


def _try(advertisement: Advertisement, cls: type[Record], key: Key) -> tuple[Record, bytes, Judgement, Key]:
    plain = apply(key, advertisement.nonce, advertisement.body)
    record = decode_as(cls, plain)
    bits, whole = int.from_bytes(plain, "little"), len(plain) >= cls.length()
    spare = bits >> cls.bits & cls.spare == cls.spare if whole else None
    return record, plain, judge(record, spare=spare, length=None if whole else len(plain)), key


def _fitting(frame: Frame, advertisement: Advertisement, cls: type[Record], keys: KeyRing) -> Sequence[Key]:
    """The keys whose first byte is the advertisement's key check."""
    candidates = keys.candidates(frame.address, advertisement.key_check)
    fitting = [key for key in candidates if key[0] == advertisement.key_check]
    if fitting:
        return fitting
    if candidates:
        raise KeyMismatch(mismatch(candidates[0], advertisement.key_check))
    if len(keys) and frame.address == NOWHERE:
        raise KeyMismatch(
            f"no key given begins with {advertisement.key_check:02x}, as the device's does: old or another device's"
        )
    raise KeyMissing(f"the {cls.title.lower()} record is encrypted: give the device's key with --key")


def _reading(frame: Frame, advertisement: Advertisement, record: Record) -> Reading:
    impossible = judge(record).impossible
    kept = msgspec.structs.replace(record, **dict.fromkeys(impossible)) if impossible else record
    doubtful = tuple(name for name, _ in unfamiliar(None, record))
    return Reading(_device(frame, advertisement), frame.at, frame, kept, impossible, doubtful)


def _undecoded(frame: Frame, advertisement: Advertisement | None, reason: str, detail: str) -> Undecoded:
    kind = advertisement.record_type if advertisement else None
    return Undecoded(_device(frame, advertisement), frame.at, frame, reason, detail, kind)


def _device(frame: Frame, advertisement: Advertisement | None) -> Device:
    product_id = advertisement.product_id if advertisement else None
    return Device(frame.address, frame.address, frame.name, product_id)


def explain(opened: Opened) -> Iterator[str]:
    """The explanation, line by line; what went wrong, if anything did, is not in it but in the outcome's detail."""
    frame, advertisement = opened.outcome.frame, opened.advertisement
    if advertisement is None:
        yield f"{counted(len(frame.payload), 'byte')}, no product advertisement: {frame.payload.hex(' ')}"
        return
    yield f"{product_name(advertisement.product_id)}, product id 0x{advertisement.product_id:04X}"
    yield from _container(advertisement, len(frame.payload))
    if opened.evidence is not None:
        likely = (
            "right as far as one advertisement tells" if opened.evidence > 0 else "not certain from one advertisement"
        )
        yield f"Key: {likely} (first byte fits, content {opened.evidence:+.0f} bits)"
        if opened.note:
            yield f"The key given has 31 digits: {opened.note}"
    if isinstance(opened.outcome, Reading):
        yield ""
        yield from _fields(opened.outcome.record, opened.plain, opened.outcome.rejected)
        yield ""
        yield f"Layout: {opened.outcome.record.proof.label}"


def _container(advertisement: Advertisement, length: int) -> Iterator[str]:
    kind = advertisement.record_type
    if not advertisement.connectable:
        yield (
            "It takes no connection now: bit 7 of the identifier is set (known from a single source); it may be"
            " connected to an app"
        )
    if kind is None:
        yield f"{counted(length, 'byte')}, no record"
        return
    cls = record_class(kind)
    sealed = "encrypted" if advertisement.sealed else "not encrypted"
    yield f"{cls.title if cls else 'Unknown record'}, record type 0x{kind:02X}, {sealed}"
    yield (
        f"{length} bytes: header {HEADER_LENGTH}, record {len(advertisement.body)}; identifier"
        f" 0x{advertisement.identifier:02X}, nonce 0x{advertisement.nonce:04X},"
        f" key check 0x{advertisement.key_check:02X}"
    )
    if cls is None:
        yield f"Nobody has described this type. Please report it, with what the app shows: {advertisement.body.hex()}"


def _fields(record: Record, plain: bytes, rejected: dict[str, object]) -> Iterator[str]:
    bits = int.from_bytes(plain, "little")
    lines = [
        (
            label(row),
            f"impossible: {value_text(row, rejected[row.name])}" if row.name in rejected else value_text(row, value),
            *_where(row, bits, 8 * len(plain)),
            row.name,
        )
        for row, value in shown(record)
    ]
    heads = ("Field", "Value", "Bits", "Raw", "Name")
    widths = [max(map(len, column)) for column in zip(heads, *lines, strict=True)]
    for line in (heads, *lines):
        yield "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()


def _where(row: Row, bits: int, present: int) -> tuple[str, str]:
    """The bits of a row and what stands in them."""
    if row.raw:
        return f"0-{present - 1}", ""
    if row.end > present:
        return f"{row.start}-{row.end - 1}", "cut off"
    raw = bits >> row.start & (1 << row.width) - 1
    return f"{row.start}-{row.end - 1}", f"0x{raw:0{-(-row.width // 4)}X}"
