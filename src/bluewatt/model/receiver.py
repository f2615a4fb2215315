"""From frames to readings: the one place where advertisements are opened, judged and published. Pure.

For each device, a copy of an advertisement already heard is dropped (by its nonce, which wraps at 65,536 and may begin
at 0). The key is judged (model/trust/key_verdict.py), and nothing is published before it is proven. Values that cannot
be true are taken out. A sample whose frame has a checksum is published at once, and what surprises in it is marked: a
jump, a code nobody has named. Only a sample without a checksum that jumps is held until the next one agrees. If several
fields fail together, the key itself is in doubt: such a sample is held, too, and published with its own time once it is
believed.

Bad bytes are data: `feed` raises no error for them but returns an `Undecoded` with the reason.
"""

from __future__ import annotations

from collections import Counter, deque

import msgspec

from bluewatt.errors import KeyMismatch, KeyMissing, UnknownType, WireError
from bluewatt.model.identity import Device
from bluewatt.model.keys import KeyRing
from bluewatt.model.reading import Frame, Reading, Undecoded
from bluewatt.model.reasons import NO_RECORD, REJECTED, UNPROVEN, VESMART
from bluewatt.model.recent import Recent
from bluewatt.model.trust.device_memory import WAITING, DeviceMemory
from bluewatt.model.trust.doubt import picker
from bluewatt.model.trust.duplicates import NONCE_SECONDS
from bluewatt.model.trust.evidence import SEVERAL_FAIL
from bluewatt.model.trust.jumps import JUMP_SECONDS, NONCE_LEAP, NONCES, agree, marks, why_held
from bluewatt.model.trust.key_trial import KeyTrial, open_sample, split_believed
from bluewatt.model.trust.key_verdict import BOUND, LIKELY, KeyState, KeyVerdict
from bluewatt.schema import Record
from bluewatt.tables.records import record_class
from bluewatt.wire.instant_readout.advertisement import (
    HEADER_FIXED,
    HEADER_LENGTH,
    Advertisement,
    is_vesmart,
    mismatch,
    open_at_once,
    parse_advertisement,
)
from bluewatt.wire.instant_readout.cipher import Key

Outcome = Reading | Undecoded

KEPT_REJECTED = 32
"""Latest rejected samples that are kept for inspection."""


class Receiver:
    """Turns frames into readings, and remembers what it learns about each device."""

    def __init__(self, keys: KeyRing | None = None) -> None:
        self.keys = keys or KeyRing()
        self.counts: Counter[str] = Counter()
        """How many frames ended how: "reading", "duplicate", "waiting" or the reason of an Undecoded."""
        self.rejected: deque[Undecoded] = deque(maxlen=KEPT_REJECTED)
        """The latest samples that could not be true."""
        self._devices: Recent[DeviceMemory] = Recent(has_key=self.keys.knows)

    def key_state(self, address: str) -> KeyState:
        """Return what is known about the key of a device."""
        state = self._devices.get(address)
        key = self.keys.of(address)
        if key is None:
            best = [verdict.state for verdict in state.verdicts.values()] if state else []
            return KeyState.RIGHT if KeyState.RIGHT in best else KeyState.MISSING
        verdict = state.verdicts.get(key) if state else None
        return verdict.state if verdict else KeyState.UNPROVEN

    def feed(self, frame: Frame) -> list[Outcome]:
        """Return the readings a frame releases.

        None if it is a duplicate or is held; otherwise its own, preceded by any that were held.
        """
        state = self._devices.get(frame.address)
        if state is None:
            state = self._devices.remember(frame.address, DeviceMemory())
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

    def _is_last_again(self, state: DeviceMemory, frame: Frame) -> bool:
        """Return whether a sample is a copy of the last one, as most are; `Copies` finds the others, more slowly."""
        last = state.last
        if last is None or frame.payload != last.frame.payload:
            return False
        seen = state.copies.heard.get(last.nonce)
        if seen is None or frame.payload not in seen[1] or abs(frame.at - seen[0]) >= NONCE_SECONDS:
            return False
        state.heard = frame.at
        return True

    def _usual(self, state: DeviceMemory, frame: Frame) -> Reading | None:
        """Return the reading in the usual case: the next sample of a device whose key is certain, with no surprise.

        This is for speed. None for any other case, which the careful way handles; a test compares the two.
        """
        last, key, payload = state.last, state.key, frame.payload
        if last is None or key is None or state.doubted is not None or state.base is not None:
            return None
        verdict = state.verdicts[key]
        if verdict.score < BOUND:
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
        if nonce in state.copies.heard or not 0 < (nonce - last.nonce) % NONCES <= NONCE_LEAP:
            return None
        picked = picker(cls)(bits, last.values) if bits >> cls.bits == cls.spare else None
        if picked is None:
            return None
        record, values = picked
        state.copies.remember(frame, nonce)
        verdict.before = state.last = KeyTrial(frame, nonce, record, values, last.judgement)
        state.heard = frame.at
        return Reading(self._device(state, frame), frame.at, frame, record)

    def flush(self) -> list[Outcome]:
        """Publish the samples still held, at the end of a capture, if their key is probably right; else report them."""
        outcomes: list[Outcome] = []
        for state in self._devices.values():
            if any(verdict.score >= LIKELY for verdict in state.verdicts.values()):
                outcomes += self._release(state, None)
            else:
                detail = "too few advertisements to prove the key"
                outcomes += [self._undecoded(state, opened.frame, UNPROVEN, detail) for opened in state.waiting]
                state.waiting.clear()
            if state.doubted is not None:
                outcomes.append(self._reject(state, state.doubted, "a change that no further sample confirmed"))
            state.doubted = None
        return self._counted(outcomes)

    def _counted(self, outcomes: list[Outcome]) -> list[Outcome]:
        for outcome in outcomes:
            self.counts["reading" if isinstance(outcome, Reading) else outcome.reason] += 1
        return outcomes

    def _outcomes(self, state: DeviceMemory, frame: Frame) -> list[Outcome]:
        try:
            advertisement = parse_advertisement(frame.payload)
        except WireError as error:
            reason = VESMART if is_vesmart(frame.payload) else type(error).__name__
            return [self._undecoded(state, frame, reason, str(error))]
        if not advertisement.has_record:
            state.product_id = advertisement.product_id
            return [self._undecoded(state, frame, NO_RECORD, "Instant Readout is switched off on the device")]
        if state.copies.knows(frame, advertisement.nonce) and not self._has_new_key(state, frame):
            return self._copied(state, frame)
        return self._open(state, frame, advertisement)

    def _has_new_key(self, state: DeviceMemory, frame: Frame) -> bool:
        """Return whether the frame is one that no key opened, and its device has been given another key since."""
        if state.refused is None or state.refused[0] != frame.payload:
            return False
        return self.keys.of(frame.address) is not state.refused[1]

    def _copied(self, state: DeviceMemory, frame: Frame) -> list[Outcome]:
        """Drop a copy; a checked copy releases the unchecked one that is held."""
        if state.last is not None and state.last.frame.payload == frame.payload:
            state.heard = frame.at
        held = state.doubted
        if held is not None and frame.checked and held.frame.payload == frame.payload:
            held.frame, state.doubted = frame, None
            return [self._publish(state, held)]
        self.counts["duplicate"] += 1
        return []

    def _open(self, state: DeviceMemory, frame: Frame, advertisement: Advertisement) -> list[Outcome]:
        record_type = advertisement.record_type
        cls = record_class(record_type) if record_type is not None else None
        if cls is None or record_type is None:
            state.copies.remember(frame, advertisement.nonce)
            detail = f"record type {record_type:#04x} has no known layout"
            return [self._undecoded(state, frame, UnknownType.__name__, detail, record_type)]
        if not advertisement.sealed:
            return self._judged(state, frame, advertisement, cls, None)
        candidates = self.keys.candidates(frame.address, advertisement.key_check)
        if not candidates:
            self._refuse(state, frame, advertisement.nonce)
            state.product_id = advertisement.product_id
            detail = f"no key is known for this device ({cls.title.lower()})"
            return [self._undecoded(state, frame, KeyMissing.__name__, detail, record_type)]
        fitting = [key for key in candidates if key[0] == advertisement.key_check]
        if not fitting:
            return self._foreign(state, frame, advertisement, candidates[0])
        return self._judged(
            state, frame, advertisement, cls, self._likeliest(state, frame, advertisement, cls, fitting)
        )

    def _likeliest(
        self, state: DeviceMemory, frame: Frame, advertisement: Advertisement, cls: type[Record], keys: list[Key]
    ) -> Key:
        """Return, of several keys with one first byte, that with the most evidence, from now and before."""
        if len(keys) == 1:
            return keys[0]

        def conviction(key: Key) -> float:
            verdict = state.verdicts.get(key) or KeyVerdict()
            return verdict.score + open_sample(frame, advertisement, cls, key, verdict.before).judgement.evidence

        return max(keys, key=conviction)

    def _foreign(self, state: DeviceMemory, frame: Frame, advertisement: Advertisement, key: Key) -> list[Outcome]:
        verdict = state.verdicts.setdefault(key, KeyVerdict())
        key_state = verdict.foreign_check(advertisement.key_check)
        if key_state is KeyState.RIGHT:
            return [self._undecoded(state, frame, REJECTED, "a garbled advertisement", advertisement.record_type)]
        detail = mismatch(key, advertisement.key_check)
        if key_state is KeyState.UNPROVEN:
            return [self._undecoded(state, frame, UNPROVEN, detail, advertisement.record_type)]
        self._refuse(state, frame, advertisement.nonce)
        if key_state is KeyState.CHANGED:
            detail = "the device has a new key since its PIN or its Instant Readout setting was changed"
        return [self._undecoded(state, frame, KeyMismatch.__name__, detail, advertisement.record_type)]

    def _judged(
        self, state: DeviceMemory, frame: Frame, advertisement: Advertisement, cls: type[Record], key: Key | None
    ) -> list[Outcome]:
        verdict = state.verdicts.setdefault(key, KeyVerdict())
        before: KeyTrial | None = verdict.before
        opened = verdict.before = open_sample(frame, advertisement, cls, key, before)
        judgement = opened.judgement
        if key is not None:
            again = before is not None and before.frame.payload == frame.payload
            # An unchecked record may be damaged, however many of its fields are wrong.
            evidence = judgement.evidence if frame.checked else max(judgement.evidence, SEVERAL_FAIL)
            key_state = verdict.again() if again else verdict.content(evidence, incredible=judgement.incredible)
            if key_state is not KeyState.RIGHT:
                return self._not_right(state, opened, key_state)
        if judgement.incredible and (key is not None or not frame.checked):
            if frame.checked:  # of an unchecked one a better copy may come
                state.copies.remember(frame, advertisement.nonce)
            return self._wait(state, opened)
        if key is not None:
            self.keys.proven_by(frame.address, key)
        state.copies.remember(frame, advertisement.nonce)
        state.product_id, state.key, state.refused = advertisement.product_id, key, None
        return self._release(state, opened)

    def _not_right(self, state: DeviceMemory, opened: KeyTrial, key_state: KeyState) -> list[Outcome]:
        if key_state is KeyState.UNPROVEN:
            state.copies.remember(opened.frame, opened.nonce)
            return self._wait(state, opened)
        detail = "the key's first byte fits, the content does not: another device's key, or the device has a new one"
        self._refuse(state, opened.frame, opened.nonce)
        refuted = [*state.waiting, opened]
        state.waiting.clear()
        reason = KeyMismatch.__name__
        return [self._undecoded(state, one.frame, reason, detail, one.record.record_type) for one in refuted]

    def _refuse(self, state: DeviceMemory, frame: Frame, nonce: int) -> None:
        """Remember a frame that no key opens: it is reported once, and opened if its device is given another key."""
        state.copies.remember(frame, nonce)
        state.refused = (frame.payload, self.keys.of(frame.address))

    def _wait(self, state: DeviceMemory, opened: KeyTrial) -> list[Outcome]:
        """Hold a sample until the key is believed; if too many are held, report the oldest as unproven."""
        full = len(state.waiting) == WAITING
        oldest = [self._undecoded(state, state.waiting[0].frame, UNPROVEN, "the key is not proven yet")] if full else []
        state.waiting.append(opened)
        self.counts["waiting"] += 1
        return [*oldest]

    def _release(self, state: DeviceMemory, opened: KeyTrial | None) -> list[Outcome]:
        """Publish the samples held for the key, as far as they are believed, and the sample that proved it."""
        if not state.waiting and opened is not None:
            return self._doubt(state, opened)
        believed, refused = split_believed([*state.waiting, *([opened] if opened is not None else [])])
        state.waiting.clear()
        why = "a garbled record: its content makes no sense"
        outcomes: list[Outcome] = [self._reject(state, one, why) for one in refused]
        return outcomes + [outcome for one in believed for outcome in self._doubt(state, one)]

    def _doubt(self, state: DeviceMemory, opened: KeyTrial) -> list[Outcome]:
        """Publish a sample, its surprises marked; hold a surprising one that is not checked until the next agrees."""
        outcomes: list[Outcome] = []
        doubted, state.doubted = state.doubted, None
        if doubted is not None:
            if agree(doubted, opened):
                outcomes.append(self._publish(state, doubted))
            else:
                why = why_held(state.last, doubted, state.heard) or "a change that the next sample did not confirm"
                outcomes.append(self._reject(state, doubted, why))
        if not opened.frame.checked and why_held(state.last, opened, state.heard):
            state.doubted = opened
            self.counts["waiting"] += 1
            return outcomes
        return [*outcomes, self._publish(state, opened)]

    def _publish(self, state: DeviceMemory, opened: KeyTrial) -> Reading:
        surprising = marks(state.last, state.base, opened, state.heard)
        impossible, record = opened.judgement.impossible, opened.record
        if impossible:
            record = msgspec.structs.replace(record, **dict.fromkeys(impossible))
            self.counts["rejected values"] += len(impossible)
        state.base = (state.base or state.last) if surprising else None
        state.last, state.heard = opened, opened.frame.at
        return Reading(self._device(state, opened.frame), opened.frame.at, opened.frame, record, impossible, surprising)

    def _reject(self, state: DeviceMemory, opened: KeyTrial, why: str) -> Undecoded:
        rejected = self._undecoded(state, opened.frame, REJECTED, why, opened.record.record_type)
        self.rejected.append(rejected)
        return rejected

    def _device(self, state: DeviceMemory, frame: Frame) -> Device:
        device = state.device
        if device is None or device.name != state.name or device.product_id != state.product_id:
            device = state.device = Device(frame.address, frame.address, state.name, state.product_id)
        return device

    def _undecoded(
        self, state: DeviceMemory, frame: Frame, reason: str, detail: str, record_type: int | None = None
    ) -> Undecoded:
        return Undecoded(self._device(state, frame), frame.at, frame, reason, detail, record_type)
