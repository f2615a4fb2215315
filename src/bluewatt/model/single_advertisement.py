"""One advertisement opened by itself, without those before and after it. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from bluewatt.errors import KeyMismatch, KeyMissing, WireError
from bluewatt.model.identity import Device
from bluewatt.model.keys import KeyRing
from bluewatt.model.reading import Frame, Reading, Undecoded
from bluewatt.model.reasons import NO_RECORD
from bluewatt.model.trust.evidence import Judgement, judge
from bluewatt.model.trust.unnamed_codes import unfamiliar
from bluewatt.schema import Record
from bluewatt.tables.records import record_class
from bluewatt.wire.instant_readout.advertisement import Advertisement, mismatch, parse_advertisement
from bluewatt.wire.instant_readout.cipher import Key, apply
from bluewatt.wire.instant_readout.records import decode_as, decode_record

NOWHERE = "unknown"
"""The address of a device in text that has none."""


class OpenedAdvertisement(msgspec.Struct):
    """What one advertisement, looked at by itself, is."""

    outcome: Reading | Undecoded
    advertisement: Advertisement | None = None
    plain: bytes = b""
    """The decrypted bytes of the record."""
    evidence: float | None = None
    """Bits of evidence for the key; None if no key was needed or none opened it."""
    note: str = ""
    """A sentence that a person should know about the key; empty if there is none."""


def open_one(frame: Frame, keys: KeyRing) -> OpenedAdvertisement:
    """Open an advertisement by itself. A key is refuted if several fields fail together."""
    try:
        advertisement = parse_advertisement(frame.payload)
    except WireError as error:
        return OpenedAdvertisement(_undecoded(frame, None, type(error).__name__, str(error)))
    try:
        return _open(frame, advertisement, keys)
    except (WireError, KeyMissing, KeyMismatch) as error:
        return OpenedAdvertisement(_undecoded(frame, advertisement, type(error).__name__, str(error)), advertisement)


def _open(frame: Frame, advertisement: Advertisement, keys: KeyRing) -> OpenedAdvertisement:
    kind = advertisement.record_type
    if kind is None:
        why = "it names the product only: Instant Readout is switched off on the device"
        return OpenedAdvertisement(_undecoded(frame, advertisement, NO_RECORD, why), advertisement)
    cls = record_class(kind)
    if cls is None or not advertisement.sealed:
        record = decode_record(kind, advertisement.body)
        return OpenedAdvertisement(_reading(frame, advertisement, record), advertisement, advertisement.body)
    best = max((_try(advertisement, cls, key) for key in _fitting(frame, advertisement, cls, keys)), key=_weight)
    record, plain, judgement, used = best
    if judgement.incredible:
        raise KeyMismatch(
            "the key's first byte fits, the content does not: this is another device's key, or an old one"
        )
    completed = keys.completed.get(frame.address) == used
    note = f"its first digit, which the app hid, is {used[0] >> 4:x}: write it in front of the 31" if completed else ""
    return OpenedAdvertisement(_reading(frame, advertisement, record), advertisement, plain, judgement.evidence, note)


def _weight(tried: tuple[Record, bytes, Judgement, Key]) -> float:
    return tried[2].evidence


def _try(advertisement: Advertisement, cls: type[Record], key: Key) -> tuple[Record, bytes, Judgement, Key]:
    plain = apply(key, advertisement.nonce, advertisement.body)
    record = decode_as(cls, plain)
    bits, whole = int.from_bytes(plain, "little"), len(plain) >= cls.length()
    spare = bits >> cls.bits & cls.spare == cls.spare if whole else None
    return record, plain, judge(record, spare=spare, length=None if whole else len(plain)), key


def _fitting(frame: Frame, advertisement: Advertisement, cls: type[Record], keys: KeyRing) -> Sequence[Key]:
    """Return the keys whose first byte is the advertisement's key check; raises KeyProblem if there is none."""
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
