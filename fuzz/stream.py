"""`scripts/stream`: a long stream of true, damaged and foreign advertisements through the receiver, and what came out.

Thirty devices of the simulated site advertise for hours, and much happens to them: engines start, thrusters and
microwave ovens run, clouds pass, chargers report errors nobody has named, and now and then a device is hardly heard.
A tenth of the stream is not checked, as if it stood near damage in a capture; there, and only there, one advertisement
in ten has flipped bits and some are cut. Some come from strangers, and two devices change their key on the way (the new
one is handed over some time after the receiver told of it, as a person would). Every published value is compared with
what the device really said.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import msgspec

from bluewatt.model.keys import KeyRing
from bluewatt.model.reading import ADVERTISEMENT, Frame, Reading
from bluewatt.model.receiver import Receiver
from bluewatt.model.trust.evidence import judge
from bluewatt.model.trust.key_verdict import KeyState
from bluewatt.schema import Record
from bluewatt.services.simulator.device import SimulatedDevice
from bluewatt.services.simulator.site import Site, frames
from bluewatt.wire.instant_readout.advertisement import parse_advertisement
from fuzz.events import Eventful

DEVICES = 30
FLIPPED, CUT = 0.1, 0.04
"""Shares of the advertisements that are not checked."""
STRANGE = 0.01
UNCHECKED_EVERY, UNCHECKED_FOR = 1_800, 200
"""After so many checked advertisements, on average, so many that are not."""
SPARSE_EVERY, SPARSE_SECONDS, SPARSE_LOSS = 3_000, 240.0, 0.97
"""After so many advertisements of a device, on average, this share of the next gets lost, for so many seconds."""
HANDED_OVER_AFTER = 60
"""So many more advertisements of a device pass before its new key is known."""
LAG = 5_000
"""So many advertisements later a good sample must have come out."""

Sample = tuple[str, int]
"""The address of a device and the nonce of its record."""


@dataclass
class Figures:
    """What happened; the names are the lines that are printed."""

    advertisements: int = 0
    not_checked: int = 0
    flipped: int = 0
    cut: int = 0
    strange: int = 0
    not_heard: int = 0
    records_of_events: int = 0
    checked_samples: int = 0
    checked_samples_kept: int = 0
    unchecked_samples: int = 0
    unchecked_samples_kept: int = 0
    marked_doubtful: int = 0
    checked_samples_late: int = 0
    impossible_values: int = 0
    false_samples: int = 0
    false_checked_samples: int = 0
    false_wrong_keys: int = 0
    key_changes_told_after: list[int] = field(default_factory=list)
    seconds: float = 0.0
    counts: Counter[str] = field(default_factory=Counter)

    @property
    def kept(self) -> float:
        """The share of the good checked samples that was published."""
        return self.checked_samples_kept / max(1, self.checked_samples)

    @property
    def kept_unchecked(self) -> float:
        """The share of the good samples that were heard unchecked only that was published."""
        return self.unchecked_samples_kept / max(1, self.unchecked_samples)


def comparable_devices(site: Site) -> list[SimulatedDevice]:
    """Devices whose record has a layout: those whose values can be compared."""
    found = []
    for device in site.devices:
        record = device.record(site.now)
        if device.instant_readout and record.bits and record.record_type is not None:
            found.append(device)
    return sorted(found, key=lambda device: (device.record(site.now).record_type or 0) < 0xFF00)[:DEVICES]


class Stream:
    """The stream and the judge of what comes out of it."""

    def __init__(self, count: int, seed: int) -> None:
        self.count, self.rng = count, random.Random(seed)
        self.site = Site(seed, devices=2 * DEVICES)
        self.devices = {device.address: device for device in comparable_devices(self.site)}
        self.events = [Eventful(device, random.Random(f"{seed} {device.address}")) for device in self.devices.values()]
        self.receiver = Receiver(KeyRing({device.address: device.key for device in self.devices.values()}))
        self.figures = Figures()
        self.truth: dict[Sample, Record] = {}
        self.expected: dict[Sample, tuple[int, bool]] = {}
        """Good samples that must come out: when they were last sent, and whether checked."""
        self.promised: dict[Sample, int] = {}
        self.since_change: Counter[str] = Counter()
        self.told: set[str] = set()
        self.sparse_until: dict[str, float] = {}
        self.unchecked_left = 0
        sealed = [address for address, device in self.devices.items() if (device.record(0).record_type or 0) < 0xFF00]
        changing = self.rng.sample(sorted(sealed), 2)
        self.changes = dict(zip((int(count * 0.35), int(count * 0.7)), changing, strict=True))

    def run(self) -> Figures:
        """Feed the whole stream."""
        started = time.perf_counter()
        for frame, clean in self._damaged():
            self._count_key_change(frame.address)
            for outcome in self.receiver.feed(frame):
                if isinstance(outcome, Reading):
                    self._compare(outcome, late=outcome.frame is not frame)
                elif outcome.reason == "KeyMismatch" and outcome.device.address not in self.since_change:
                    self.figures.false_wrong_keys += 1
            if clean:
                self._tell(frame.address)
        self._settle(sys.maxsize)
        self.figures.seconds = time.perf_counter() - started
        self.figures.counts = self.receiver.counts
        self.figures.records_of_events = sum(event.records for event in self.events)
        return self.figures

    def _clean(self) -> Iterator[Frame]:
        """What the radio hears of the devices, and whether it is checked."""
        for frame in frames(self.site, self.site.now, sys.maxsize):
            if frame.address not in self.devices:
                continue
            if frame.at < self.sparse_until.get(frame.address, 0.0) and self.rng.random() < SPARSE_LOSS:
                self.figures.not_heard += 1
                continue
            if self.rng.random() < 1 / SPARSE_EVERY:
                self.sparse_until[frame.address] = frame.at + SPARSE_SECONDS
            if self.unchecked_left:
                self.unchecked_left -= 1
                self.figures.not_checked += 1
                frame = msgspec.structs.replace(frame, checked=False)
            elif self.rng.random() < 1 / UNCHECKED_EVERY:
                self.unchecked_left = UNCHECKED_FOR
            yield frame

    def _damaged(self) -> Iterator[tuple[Frame, bool]]:
        for number, frame in enumerate(self._clean()):
            if number == self.count:
                return
            self.figures.advertisements += 1
            if number in self.changes:
                self._change_key(self.changes[number])
            self._settle(number - LAG)
            sample = (frame.address, parse_advertisement(frame.payload).nonce)
            self.truth[sample] = self.devices[frame.address].record(frame.at)
            draw = 1.0 if frame.checked else self.rng.random()
            if draw < FLIPPED:
                self.figures.flipped += 1
                yield self._flip(frame), False
            elif draw < FLIPPED + CUT:
                self.figures.cut += 1
                yield msgspec.structs.replace(frame, payload=frame.payload[: self.rng.randrange(20)]), False
            else:
                self._promise(sample, number, checked=frame.checked)
                yield frame, True
            if self.rng.random() < STRANGE:
                self.figures.strange += 1
                yield self._stranger(frame), False

    def _promise(self, sample: Sample, number: int, *, checked: bool) -> None:
        """A clean copy of a sample arrived: the sample must come out, once."""
        if sample[0] in self.since_change:
            return
        if number - self.promised.get(sample, -sys.maxsize) > LAG:
            self.expected[sample] = (number, checked)
        elif checked and sample in self.expected:
            self.expected[sample] = (self.expected[sample][0], True)
        self.promised[sample] = number

    def _flip(self, frame: Frame) -> Frame:
        bits = bytearray(frame.payload)
        for _ in range(self.rng.choice((1, 1, 1, 2, 3))):
            place = self.rng.randrange(8 * len(bits))
            bits[place // 8] ^= 1 << place % 8
        return msgspec.structs.replace(frame, payload=bytes(bits))

    def _stranger(self, frame: Frame) -> Frame:
        address = f"D0:00:00:00:00:{self.rng.randrange(200):02X}"
        payload = self.rng.choice((frame.payload, b"\x10" + self.rng.randbytes(23), b"\x02" + self.rng.randbytes(20)))
        return Frame(frame.at, "strange:", ADVERTISEMENT, address, payload, -80)

    def _change_key(self, address: str) -> None:
        self.devices[address].change_key()
        self.since_change[address] = 0
        self.expected = {sample: told for sample, told in self.expected.items() if sample[0] != address}

    def _count_key_change(self, address: str) -> None:
        if address in self.since_change:
            self.since_change[address] += 1
            if self.since_change[address] == HANDED_OVER_AFTER:
                self.receiver.keys.add(address, self.devices[address].key)
                del self.since_change[address]

    def _tell(self, address: str) -> None:
        state = self.receiver.key_state(address)
        if address in self.since_change:
            if state is KeyState.CHANGED and address not in self.told:
                self.told.add(address)
                self.figures.key_changes_told_after.append(self.since_change[address])
        elif state in (KeyState.CHANGED, KeyState.WRONG):
            self.figures.false_wrong_keys += 1

    def _compare(self, reading: Reading, *, late: bool) -> None:
        sample = (reading.device.address, parse_advertisement(reading.frame.payload).nonce)
        if sample[0] not in self.devices:
            return
        truth, figures = self.truth.get(sample), self.figures
        figures.impossible_values += len(judge(reading.record).impossible)
        if reading.record != truth:
            figures.false_samples += 1
            figures.false_checked_samples += reading.frame.checked
            return
        figures.marked_doubtful += bool(reading.doubtful)
        figures.checked_samples_late += late and reading.frame.checked
        if (told := self.expected.pop(sample, None)) is not None:
            self._count(checked=told[1], kept=True)
        else:
            self.promised[sample] = figures.advertisements  # two flips of one bit are none

    def _count(self, *, checked: bool, kept: bool) -> None:
        if checked:
            self.figures.checked_samples += 1
            self.figures.checked_samples_kept += kept
        else:
            self.figures.unchecked_samples += 1
            self.figures.unchecked_samples_kept += kept

    def _settle(self, before: int) -> None:
        """Good samples that are long past and did not come out are lost."""
        due = before % 1000 == 0 or before == sys.maxsize
        for sample in [sample for sample, told in self.expected.items() if told[0] < before] if due else []:
            self._count(checked=self.expected.pop(sample)[1], kept=False)
        if before % 50_000 == 0:
            self.truth = dict(list(self.truth.items())[-50_000:])
            self.promised = dict(list(self.promised.items())[-50_000:])


def main() -> int:
    """Run the stream and print the figures; exit code 1 when a promise was broken."""
    parser = argparse.ArgumentParser(prog="scripts/stream", description=__doc__)
    parser.add_argument("--advertisements", type=int, default=1_000_000, help="how many (default: a million)")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    figures = Stream(options.advertisements, options.seed).run()
    for name, value in vars(figures).items():
        print(f"{name.replace('_', ' '):26} {dict(value) if name == 'counts' else value}")
    print(f"{'checked samples kept':26} {100 * figures.kept:.3f} %")
    print(f"{'unchecked samples kept':26} {100 * figures.kept_unchecked:.3f} %")
    return 0 if promises_kept(figures) else 1


def promises_kept(figures: Figures) -> bool:
    """Return whether nothing true was hidden and nothing impossible shown.

    Every good checked sample is published, and nothing else of a checked frame; no impossible value, no false alarm
    about a key, each change told within ten, 97 % of what was heard unchecked only.
    """
    return (
        figures.checked_samples_kept == figures.checked_samples > 0
        and figures.false_checked_samples == 0
        and figures.impossible_values == 0
        and figures.false_wrong_keys == 0
        and len(figures.key_changes_told_after) == 2
        and max(figures.key_changes_told_after) <= 10
        and figures.kept_unchecked >= 0.97
    )


if __name__ == "__main__":
    sys.exit(main())
