"""Two captures compared: which registers a device told differently, to find out what a setting does. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from bluewatt.model.dialogue.conversation import Line
from bluewatt.model.dialogue.sentences import values_of
from bluewatt.model.dialogue.transcript import DecodedPacket
from bluewatt.model.register_values import RegisterReading, RegisterValue
from bluewatt.wire.victronconnect.events import Role

DeviceRegister = tuple[str, int | None, int]
"""Device address, instance, register."""

BUSY_CHANGES = 3
"""A register that changes so often within one capture is a measurement, not a setting."""


class RegisterHistory(msgspec.Struct):
    """What one capture tells of one register: its contents in order, repetitions left out."""

    values: list[RegisterValue] = []
    written: bool = False
    """Whether the client wrote it."""

    def add(self, value: RegisterValue) -> None:
        """One more content."""
        if not self.values or self.values[-1].raw != value.raw:
            self.values.append(value)

    @property
    def last(self) -> RegisterValue:
        """The last content."""
        return self.values[-1]


class Difference(msgspec.Struct, frozen=True):
    """One register in two captures; None where a capture does not tell it."""

    place: DeviceRegister
    before: RegisterValue | None
    after: RegisterValue | None
    busy: bool = False
    """Whether it changes all the time anyway."""
    written: bool = False

    @property
    def changed(self) -> bool:
        """Whether both captures tell it, and differently."""
        return self.before is not None and self.after is not None and self.before.raw != self.after.raw

    @property
    def value(self) -> RegisterValue:
        """The newer content that is there."""
        known = self.after or self.before
        if known is None:
            raise ValueError("a difference without content")
        return known


def register_histories(steps: Iterable[DecodedPacket]) -> dict[DeviceRegister, RegisterHistory]:
    """The last content of every register in a capture, and how often it changed."""
    found: dict[DeviceRegister, RegisterHistory] = {}
    for _, entries in steps:
        for entry in entries:
            for value, written in _values(entry):
                place = entry.device.address, value.instance, value.register
                known = found.setdefault(place, RegisterHistory(values=[]))
                known.written = known.written or written
                if not written:
                    known.add(value)
    return {place: known for place, known in found.items() if known.values}


def _values(entry: object) -> Iterator[tuple[RegisterValue, bool]]:
    if isinstance(entry, Line):
        for value in values_of(entry):
            yield value, entry.direction is Role.CLIENT
    elif isinstance(entry, RegisterReading):
        for value in entry.values:
            yield value, False


def compare(
    before: dict[DeviceRegister, RegisterHistory], after: dict[DeviceRegister, RegisterHistory]
) -> list[Difference]:
    """What differs; settings first, then what changes all the time, then what only one capture tells."""
    if len({place[0] for place in (*before, *after)}) == 2 and not _share_device(before, after):
        after = _renamed(before, after)
    found = [_difference(place, before.get(place), after.get(place)) for place in dict.fromkeys((*before, *after))]
    differing = [one for one in found if one.changed or one.before is None or one.after is None]
    return sorted(differing, key=lambda one: (not one.changed, one.busy, not one.written, one.place[2]))


def _share_device(before: dict[DeviceRegister, RegisterHistory], after: dict[DeviceRegister, RegisterHistory]) -> bool:
    return bool({place[0] for place in before} & {place[0] for place in after})


def _renamed(
    before: dict[DeviceRegister, RegisterHistory], after: dict[DeviceRegister, RegisterHistory]
) -> dict[DeviceRegister, RegisterHistory]:
    """One device in each capture under two addresses (a redacted one, say): compared all the same."""
    address = next(iter(before))[0] if before else ""
    return {(address, place[1], place[2]): known for place, known in after.items()}


def _difference(place: DeviceRegister, before: RegisterHistory | None, after: RegisterHistory | None) -> Difference:
    busy = any(one is not None and len(one.values) > BUSY_CHANGES for one in (before, after))
    written = any(one is not None and one.written for one in (before, after))
    return Difference(place, before.last if before else None, after.last if after else None, busy, written)
