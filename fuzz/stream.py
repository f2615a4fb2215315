"""`scripts/stream`: a long stream of true, damaged and foreign advertisements through the receiver, and what came out.

Thirty devices of the simulated site advertise for hours. One advertisement in a hundred has flipped bits, some are cut,
some come from strangers, and two devices change their key on the way (the new one is handed over some time after the
receiver told of it, as a person would). Every published value is compared with what the device really said.
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
from msgspec.structs import astuple

from bluewatt.model.keys import KeyRing
from bluewatt.model.reading import ADVERTISEMENT, Frame, Reading
from bluewatt.model.receiver import Receiver
from bluewatt.model.screen import screen
from bluewatt.model.steadiness import why_unsteady
from bluewatt.model.verdict import KeyState
from bluewatt.schema import Record
from bluewatt.services.simulator.device import SimulatedDevice
from bluewatt.services.simulator.site import Site, frames
from bluewatt.wire.advert import parse_advertisement

DEVICES = 30
FLIPPED, CUT, STRANGE = 0.01, 0.004, 0.01
HANDED_OVER_AFTER = 60
"""So many more advertisements of a device pass before its new key is known."""
LAG = 5_000
"""So many advertisements later a good sample must have come out."""


@dataclass
class Figures:
    """What happened; the names are the lines that are printed."""

    advertisements: int = 0
    flipped: int = 0
    cut: int = 0
    strange: int = 0
    good_samples: int = 0
    good_samples_kept: int = 0
    impossible_values: int = 0
    false_samples: int = 0
    false_wrong_keys: int = 0
    key_changes_told_after: list[int] = field(default_factory=list)
    seconds: float = 0.0
    counts: Counter[str] = field(default_factory=Counter)

    @property
    def kept(self) -> float:
        """The share of the good samples that was published."""
        return self.good_samples_kept / max(1, self.good_samples)


def sealed_devices(site: Site) -> list[SimulatedDevice]:
    """Devices whose record is sealed and has a layout: those whose values can be compared."""
    found = []
    for device in site.devices:
        record = device.record(site.now)
        if device.instant_readout and record.bits and record.record_type is not None and record.record_type < 0xFF00:
            found.append(device)
    return found[:DEVICES]


class Stream:
    """The stream and the judge of what comes out of it."""

    def __init__(self, count: int, seed: int) -> None:
        self.count, self.rng = count, random.Random(seed)
        self.site = Site(seed, devices=2 * DEVICES)
        self.devices = {device.address: device for device in sealed_devices(self.site)}
        self.receiver = Receiver(KeyRing({device.address: device.key for device in self.devices.values()}))
        self.figures = Figures()
        self.truth: dict[tuple[str, int], Record] = {}
        self.expected: dict[tuple[str, int], int] = {}
        self.promised: dict[tuple[str, int], int] = {}
        self.since_change: Counter[str] = Counter()
        self.told: set[str] = set()
        changing = self.rng.sample(sorted(self.devices), 2)
        self.changes = dict(zip((int(count * 0.35), int(count * 0.7)), changing, strict=True))

    def run(self) -> Figures:
        """Feed the whole stream."""
        started = time.perf_counter()
        for frame, clean in self._damaged():
            self._count_key_change(frame.address)
            for outcome in self.receiver.feed(frame):
                if isinstance(outcome, Reading):
                    self._compare(outcome)
                elif outcome.reason == "KeyMismatch" and outcome.device.address not in self.since_change:
                    self.figures.false_wrong_keys += 1
            if clean:
                self._tell(frame.address)
        self._settle(sys.maxsize)
        self.figures.seconds = time.perf_counter() - started
        self.figures.counts = self.receiver.counts
        return self.figures

    def _clean(self) -> Iterator[Frame]:
        for frame in frames(self.site, self.site.now, sys.maxsize):
            if frame.address in self.devices:
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
            draw = self.rng.random()
            if draw < FLIPPED:
                self.figures.flipped += 1
                yield self._flip(frame), False
            elif draw < FLIPPED + CUT:
                self.figures.cut += 1
                yield msgspec.structs.replace(frame, payload=frame.payload[: self.rng.randrange(20)]), False
            else:
                self._promise(sample, number)
                yield frame, True
            if self.rng.random() < STRANGE:
                self.figures.strange += 1
                yield self._stranger(frame), False

    def _promise(self, sample: tuple[str, int], number: int) -> None:
        """A clean copy of a sample arrived: the sample must come out, once."""
        if sample[0] not in self.since_change and number - self.promised.get(sample, -sys.maxsize) > LAG:
            self.expected[sample] = number
        if sample[0] not in self.since_change:
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
        self.expected = {sample: number for sample, number in self.expected.items() if sample[0] != address}

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

    def _compare(self, reading: Reading) -> None:
        sample = (reading.device.address, parse_advertisement(reading.frame.payload).nonce)
        truth = self.truth.get(sample)
        if reading.record == truth:
            if self.expected.pop(sample, None) is not None:
                self.figures.good_samples += 1
                self.figures.good_samples_kept += 1
            return
        self.figures.false_samples += 1
        possible = screen(type(reading.record)).possible(astuple(reading.record))
        if (
            truth is None
            or type(truth) is not type(reading.record)
            or not possible
            or why_unsteady(truth, reading.record)
        ):
            self.figures.impossible_values += 1

    def _settle(self, before: int) -> None:
        """Good samples that are long past and did not come out are lost."""
        lost = [sample for sample, number in self.expected.items() if number < before] if before % 1000 == 0 else []
        if before == sys.maxsize:
            lost = list(self.expected)
        for sample in lost:
            del self.expected[sample]
            self.figures.good_samples += 1
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
    print(f"{'kept':26} {100 * figures.kept:.3f} %")
    return 0 if promises_kept(figures) else 1


def promises_kept(figures: Figures) -> bool:
    """No impossible value, no false alarm about a key, each change told within ten, 99.9 % of the good samples kept."""
    return (
        figures.impossible_values == 0
        and figures.false_wrong_keys == 0
        and len(figures.key_changes_told_after) == 2
        and max(figures.key_changes_told_after) <= 10
        and figures.kept >= 0.999
    )


if __name__ == "__main__":
    sys.exit(main())
