"""From frames to readings: the one place where advertisements are opened, doubted and let through. Pure.

For each device: a copy of an advertisement already seen is dropped (by nonce, which wraps at 65,536 and may begin at
0); the key is judged (model/verdict.py) and nothing is shown before it is proven; values that cannot be true are taken
out; a sample that jumps, turns to another record type or brings a number nobody has named waits until the next one
says the same. What waits is let through then, with its own time, so a real jump loses nothing.

Bad bytes are data: `feed` raises nothing, it returns an `Undecoded` with the reason.
"""

from __future__ import annotations

from collections import Counter, deque
from typing import Any

import msgspec
from msgspec.structs import astuple

from bluewatt.errors import KeyMismatch, KeyMissing, WireError
from bluewatt.model.keys import KeyRing
from bluewatt.model.plausibility import Judgement, judge, judge_likeness
from bluewatt.model.reading import Device, Frame, Reading, Undecoded
from bluewatt.model.recent import Recent
from bluewatt.model.screen import screen
from bluewatt.model.steadiness import why_unfamiliar, why_unsteady
from bluewatt.model.verdict import BOUND, KeyState, KeyVerdict
from bluewatt.schema import Record
from bluewatt.tables.records import record_class
from bluewatt.wire.advert import (
    HEADER_FIXED,
    HEADER_LENGTH,
    Advertisement,
    is_vesmart,
    mismatch,
    open_at_once,
    open_bits,
    parse_advertisement,
)
from bluewatt.wire.cipher import Key
from bluewatt.wire.plan import decoder
from bluewatt.wire.records import decode_bits

Outcome = Reading | Undecoded

NONCE_MEMORY = 64
"""So many nonces of a device are remembered …"""
NONCE_SECONDS = 60.0
"""… for so long: after that the same nonce is a new record (the nonce wraps, and a device may restart)."""
NONCES = 1 << 16
NONCE_LEAP = 200
"""A device counts up about once a second: more than this at once, or backwards, is a garbled nonce or a restart."""
JUMP_SECONDS = 60.0
"""After a silence of this length any value can be true."""
WAITING = 16
"""So many samples wait at most for their key to be proven."""
KEPT_REJECTED = 32
"""So many rejected samples are kept for a look."""
LIKELY = 12.0
"""Evidence with which a key is believed when a capture ends before it is proven."""
GARBAGE = -8.0
"""Evidence below this is not one bad value but a garbled record: nothing of it is shown."""

NO_RECORD = "NoRecord"
VESMART = "VeSmart"
UNPROVEN = "KeyUnproven"
REJECTED = "Rejected"


class _Opened(msgspec.Struct):
    """A record opened with some key, and what its content says."""

    frame: Frame
    nonce: int
    record: Record
    values: tuple[Any, ...]
    """The values of the record, in the order of its rows."""
    judgement: Judgement


def _opened(frame: Frame, advertisement: Advertisement, cls: type[Record], key: Key | None) -> _Opened:
    length, bits = len(advertisement.body), open_bits(advertisement, key)
    record = decode_bits(cls, bits, length)
    spare = None if 8 * length < cls.bits else bits >> cls.bits & cls.spare == cls.spare
    return _Opened(frame, advertisement.nonce, record, astuple(record), judge(record, spare=spare))


class _State:
    """What the receiver remembers about one device."""

    __slots__ = (
        "contender",
        "device",
        "doubted",
        "heard",
        "key",
        "last",
        "name",
        "nonces",
        "product_id",
        "raw",
        "verdicts",
        "waiting",
    )

    def __init__(self) -> None:
        self.name: str | None = None
        self.product_id: int | None = None
        self.nonces: dict[int, tuple[float, bytes]] = {}
        """Nonce → when it was heard first, and with which bytes."""
        self.contender = b""
        """Bytes that came with a nonce already seen with others: heard once more, they are believed."""
        self.key: Key | None = None
        """The key that opened the last sample."""
        self.device: Device | None = None
        self.verdicts: dict[bytes, KeyVerdict] = {}
        self.last: _Opened | None = None
        """The last sample that was let through …"""
        self.heard = 0.0
        """… and when it, or a copy of it, was last heard."""
        self.doubted: _Opened | None = None
        self.raw: dict[Key | None, bytes] = {}
        """The last record of unknown layout, by the key that opened it."""
        self.waiting: deque[_Opened] = deque(maxlen=WAITING)


class Receiver:
    """Turns frames into readings, with what it learned about each device between them."""

    def __init__(self, keys: KeyRing | None = None) -> None:
        self.keys = keys or KeyRing()
        self.counts: Counter[str] = Counter()
        """How many frames ended how: "reading", "duplicate", "waiting" or the reason of an Undecoded."""
        self.rejected: deque[Undecoded] = deque(maxlen=KEPT_REJECTED)
        """The last samples that could not be true."""
        self._devices: Recent[_State] = Recent(has_key=self.keys.knows)

    def key_state(self, address: str) -> KeyState:
        """What is known about the key of a device."""
        state = self._devices.get(address)
        key = self.keys.of(address)
        if key is None:
            best = [verdict.state for verdict in state.verdicts.values()] if state else []
            return KeyState.RIGHT if KeyState.RIGHT in best else KeyState.MISSING
        verdict = state.verdicts.get(key) if state else None
        return verdict.state if verdict else KeyState.UNPROVEN

    def feed(self, frame: Frame) -> list[Outcome]:
        """What a frame leads to: nothing (a copy, or it waits), itself, or itself and what waited for it."""
        state = self._devices.get(frame.address)
        if state is None:
            state = self._devices.remember(frame.address, _State())
        else:
            self._devices.move_to_end(frame.address)
        if frame.name:
            state.name = frame.name
        if self._is_last_again(state, frame):
            self.counts["duplicate"] += 1
            return []
        usual = self._usual(state, frame)
        if usual is not None:
            self.counts["reading"] += 1
            return [usual]
        return self._counted(self._outcomes(state, frame))

    def _is_last_again(self, state: _State, frame: Frame) -> bool:
        """Whether the sample is a copy of the last one, as most are; `_is_copy` finds the others, more slowly."""
        last = state.last
        if last is None or frame.payload != last.frame.payload:
            return False
        seen = state.nonces.get(last.nonce)
        if seen is None or seen[1] != frame.payload or abs(frame.at - seen[0]) >= NONCE_SECONDS:
            return False
        state.heard = frame.at
        return True

    def _usual(self, state: _State, frame: Frame) -> Reading | None:
        """The usual case in one go: the next sample of a device whose key is certain, with nothing odd about it.

        None for everything else, which then takes the careful way and ends the same (a test compares the two).
        """
        last, key, payload = state.last, state.key, frame.payload
        if last is None or key is None or state.doubted is not None or state.verdicts[key].score < BOUND:
            return None
        if not 0 <= frame.at - state.heard < JUMP_SECONDS or self.keys.of(frame.address) is not key:
            return None
        before, cls = last.frame.payload, type(last.record)
        if len(payload) != HEADER_LENGTH + cls.length() or payload[:HEADER_FIXED] != before[:HEADER_FIXED]:
            return None
        opened = open_at_once(payload, key)
        if opened is None:
            return None
        nonce, bits = opened
        if nonce in state.nonces or not 0 < (nonce - last.nonce) % NONCES <= NONCE_LEAP:
            return None
        record = decoder(cls)(bits)
        values, ask = astuple(record), screen(cls)
        if bits >> cls.bits != cls.spare or not (ask.possible(values) and ask.steady(last.values, values)):
            return None
        self._remember(state, frame, nonce)
        state.last, state.heard = _Opened(frame, nonce, record, values, last.judgement), frame.at
        return Reading(self._device(state, frame), frame.at, frame, record)

    def flush(self) -> list[Outcome]:
        """At the end of a capture: what still waits, let through where it is likely, else said to be doubtful."""
        outcomes: list[Outcome] = []
        for state in self._devices.values():
            likely = any(verdict.score >= LIKELY for verdict in state.verdicts.values())
            for opened in state.waiting:
                detail = "too few advertisements to prove the key"
                outcomes.append(
                    self._publish(state, opened) if likely else self._undecoded(state, opened.frame, UNPROVEN, detail)
                )
            if state.doubted is not None:
                outcomes.append(self._reject(state, state.doubted, "a change that no further sample confirmed"))
            state.doubted = None
            state.waiting.clear()
        return self._counted(outcomes)

    def _counted(self, outcomes: list[Outcome]) -> list[Outcome]:
        for outcome in outcomes:
            self.counts["reading" if isinstance(outcome, Reading) else outcome.reason] += 1
        return outcomes

    def _outcomes(self, state: _State, frame: Frame) -> list[Outcome]:
        try:
            advertisement = parse_advertisement(frame.payload)
        except WireError as error:
            reason = VESMART if is_vesmart(frame.payload) else type(error).__name__
            return [self._undecoded(state, frame, reason, str(error))]
        if not advertisement.has_record:
            state.product_id = advertisement.product_id
            return [self._undecoded(state, frame, NO_RECORD, "Instant Readout is switched off on the device")]
        if self._is_copy(state, frame, advertisement.nonce):
            self.counts["duplicate"] += 1
            return []
        return self._open(state, frame, advertisement)

    def _is_copy(self, state: _State, frame: Frame, nonce: int) -> bool:
        """Whether the sample was seen; two equal copies overrule a first one that was garbled on air."""
        seen = state.nonces.get(nonce)
        if seen is None or abs(frame.at - seen[0]) >= NONCE_SECONDS:
            return False
        if seen[1] == frame.payload:
            state.heard = frame.at
            return True
        if state.contender == frame.payload:
            state.contender = b""
            return False
        state.contender = frame.payload
        return True

    def _remember(self, state: _State, frame: Frame, nonce: int) -> None:
        state.nonces.pop(nonce, None)
        state.nonces[nonce] = (frame.at, frame.payload)
        if len(state.nonces) > NONCE_MEMORY:
            del state.nonces[next(iter(state.nonces))]

    def _open(self, state: _State, frame: Frame, advertisement: Advertisement) -> list[Outcome]:
        record_type = advertisement.record_type
        cls = record_class(record_type) if record_type is not None else None
        if cls is None or record_type is None:
            self._remember(state, frame, advertisement.nonce)
            detail = f"record type {record_type:#04x} has no known layout"
            return [self._undecoded(state, frame, "UnknownType", detail, record_type)]
        if not advertisement.sealed:
            return self._judged(state, frame, advertisement, cls, None)
        candidates = self.keys.candidates(frame.address, advertisement.key_check)
        if not candidates:
            self._remember(state, frame, advertisement.nonce)
            state.product_id = advertisement.product_id
            detail = f"no key is known for this device ({cls.title.lower()})"
            return [self._undecoded(state, frame, KeyMissing.__name__, detail, record_type)]
        fitting = [key for key in candidates if key[0] == advertisement.key_check]
        if not fitting:
            return self._foreign(state, frame, advertisement, candidates[0])
        return self._judged(state, frame, advertisement, cls, self._likeliest(state, advertisement, cls, fitting))

    def _likeliest(self, state: _State, advertisement: Advertisement, cls: type[Record], keys: list[Key]) -> Key:
        """Of several keys that begin alike, the one whose content convinces most, now and before."""
        if len(keys) == 1:
            return keys[0]

        def conviction(key: Key) -> float:
            record = decode_bits(cls, open_bits(advertisement, key), len(advertisement.body))
            before = state.verdicts[key].score if key in state.verdicts else 0.0
            return before + judge(record).evidence

        return max(keys, key=conviction)

    def _foreign(self, state: _State, frame: Frame, advertisement: Advertisement, key: Key) -> list[Outcome]:
        verdict = state.verdicts.setdefault(key, KeyVerdict())
        key_state = verdict.foreign_check(advertisement.key_check)
        if key_state is KeyState.RIGHT:
            return [self._undecoded(state, frame, REJECTED, "a garbled advertisement", advertisement.record_type)]
        detail = mismatch(key, advertisement.key_check)
        if key_state is KeyState.UNPROVEN:
            return [self._undecoded(state, frame, UNPROVEN, detail, advertisement.record_type)]
        self._remember(state, frame, advertisement.nonce)
        if key_state is KeyState.CHANGED:
            detail = "the device has a new key since its PIN or its Instant Readout setting was changed"
        return [self._undecoded(state, frame, KeyMismatch.__name__, detail, advertisement.record_type)]

    def _judged(
        self, state: _State, frame: Frame, advertisement: Advertisement, cls: type[Record], key: Key | None
    ) -> list[Outcome]:
        opened = _opened(frame, advertisement, cls, key)
        if cls.rows[0].raw:
            plain = opened.values[0]
            opened.judgement = judge_likeness(state.raw.get(key), plain)
            state.raw[key] = plain
        if key is not None:
            verdict = state.verdicts.setdefault(key, KeyVerdict())
            key_state = verdict.content(opened.judgement.evidence)
            if key_state is not KeyState.RIGHT:
                return self._not_right(state, opened, key_state, advertisement)
            self.keys.proven_by(frame.address, key)
        if opened.judgement.evidence < GARBAGE:
            return [self._reject(state, opened, "a garbled record: its content makes no sense")]
        self._remember(state, frame, advertisement.nonce)
        state.product_id, state.key = advertisement.product_id, key
        waited = [other for other in state.waiting if other.judgement.evidence >= GARBAGE]
        state.waiting.clear()
        return [outcome for ready in (*waited, opened) for outcome in self._doubt(state, ready)]

    def _not_right(
        self, state: _State, opened: _Opened, key_state: KeyState, advertisement: Advertisement
    ) -> list[Outcome]:
        if key_state is KeyState.UNPROVEN:
            self._remember(state, opened.frame, advertisement.nonce)
            state.waiting.append(opened)
            self.counts["waiting"] += 1
            return []
        state.waiting.clear()
        detail = "the key's first byte fits, the content does not: another device's key, or the device has a new one"
        return [self._undecoded(state, opened.frame, KeyMismatch.__name__, detail, advertisement.record_type)]

    def _doubt(self, state: _State, opened: _Opened) -> list[Outcome]:
        """Let a sample through, or hold it until the next one says the same."""
        doubted, state.doubted = state.doubted, None
        doubt = self._why_doubtful(state.last, opened, state.heard)
        outcomes: list[Outcome] = []
        if doubted is not None:
            if doubt and self._why_doubtful(doubted, opened, doubted.frame.at) is None:
                return [self._publish(state, doubted), self._publish(state, opened)]
            why = (
                self._why_doubtful(state.last, doubted, state.heard) or "a change that the next sample did not confirm"
            )
            outcomes.append(self._reject(state, doubted, why))
        if doubt is None:
            return [*outcomes, self._publish(state, opened)]
        state.doubted = opened
        self.counts["waiting"] += 1
        return outcomes

    def _why_doubtful(self, before: _Opened | None, opened: _Opened, heard: float) -> str | None:
        """Why a sample is not believed at once after the one before; None where it is."""
        record = opened.record
        short = len(opened.frame.payload) < HEADER_LENGTH + record.length()
        if before is None or opened.frame.at - heard > JUMP_SECONDS:
            return "the record is cut short" if short else why_unfamiliar(None, record)
        if type(before.record) is not type(record):
            return f"the record type turned to {record.title.lower()}"
        if short and len(before.frame.payload) != len(opened.frame.payload):
            return "the record is cut short"
        if (opened.nonce - before.nonce) % NONCES > NONCE_LEAP:
            return "the nonce leapt"
        if screen(type(record)).steady(before.values, opened.values):
            return None
        return why_unsteady(before.record, record)

    def _reading(self, state: _State, opened: _Opened) -> Reading:
        record, impossible = opened.record, opened.judgement.impossible
        if impossible:
            record = msgspec.structs.replace(record, **dict.fromkeys(impossible))
        return Reading(self._device(state, opened.frame), opened.frame.at, opened.frame, record, impossible)

    def _publish(self, state: _State, opened: _Opened) -> Reading:
        reading = self._reading(state, opened)
        if reading.rejected:
            self.counts["rejected values"] += len(reading.rejected)
        state.last, state.heard = opened, opened.frame.at
        return reading

    def _reject(self, state: _State, opened: _Opened, why: str) -> Undecoded:
        rejected = self._undecoded(state, opened.frame, REJECTED, why, opened.record.record_type)
        self.rejected.append(rejected)
        return rejected

    def _device(self, state: _State, frame: Frame) -> Device:
        device = state.device
        if device is None or device.name != state.name or device.product_id != state.product_id:
            device = state.device = Device(frame.address, frame.address, state.name, state.product_id)
        return device

    def _undecoded(
        self, state: _State, frame: Frame, reason: str, detail: str, record_type: int | None = None
    ) -> Undecoded:
        return Undecoded(self._device(state, frame), frame.at, frame, reason, detail, record_type)
