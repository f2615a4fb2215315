"""Two captures compared: which registers of a device differ, to find out what a setting does. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from bluewatt.model.dialogue.conversation import Line
from bluewatt.model.dialogue.sentences import values_of
from bluewatt.model.dialogue.transcript import DecodedPacket
from bluewatt.model.register_values import RegisterReading, RegisterValue
from bluewatt.wire.victronconnect.events import Role

DeviceRegister = tuple[str, int | None, int]
"""A register of a device: its address, the instance, the register number."""

BUSY_CHANGES = 3
"""Contents of a register in one capture above which it is a measurement, not a setting."""


class RegisterHistory(msgspec.Struct):
    """The contents of one register in one capture, in their order, without repetitions."""

    values: list[RegisterValue] = []
    written: bool = False
    """Whether the client wrote it."""

    def add(self, value: RegisterValue) -> None:
        """Add a content, unless it repeats the last one."""
        if not self.values or self.values[-1].raw != value.raw:
            self.values.append(value)

    @property
    def last(self) -> RegisterValue:
        """The last content."""
        return self.values[-1]


class Difference(msgspec.Struct, frozen=True):
    """One register in two captures; None for a capture that does not hold it."""

    place: DeviceRegister
    before: RegisterValue | None
    after: RegisterValue | None
    busy: bool = False
    """Whether it changes all the time anyway."""
    written: bool = False

    @property
    def changed(self) -> bool:
        """Whether both captures hold it, with different contents."""
        return self.before is not None and self.after is not None and self.before.raw != self.after.raw

    @property
    def value(self) -> RegisterValue:
        """The content in the second capture, else that in the first."""
        known = self.after or self.before
        if known is None:
            raise ValueError("a difference without content")
        return known


def register_histories(steps: Iterable[DecodedPacket]) -> dict[DeviceRegister, RegisterHistory]:
    """Return the contents of every register that a capture holds."""
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
    """Return what differs: settings first, then what changes all the time, then what only one capture holds."""
    if len({place[0] for place in (*before, *after)}) == 2 and not _share_device(before, after):
        after = _under_one_address(before, after)
    found = [_difference(place, before.get(place), after.get(place)) for place in dict.fromkeys((*before, *after))]
    differing = [one for one in found if one.changed or one.before is None or one.after is None]
    return sorted(differing, key=lambda one: (not one.changed, one.busy, not one.written, one.place[2]))


def _share_device(before: dict[DeviceRegister, RegisterHistory], after: dict[DeviceRegister, RegisterHistory]) -> bool:
    return bool({place[0] for place in before} & {place[0] for place in after})


def _under_one_address(
    before: dict[DeviceRegister, RegisterHistory], after: dict[DeviceRegister, RegisterHistory]
) -> dict[DeviceRegister, RegisterHistory]:
    """Return `after` under the address of `before`: one device may have two addresses, such as a redacted one."""
    address = next(iter(before))[0] if before else ""
    return {(address, place[1], place[2]): known for place, known in after.items()}


def _difference(place: DeviceRegister, before: RegisterHistory | None, after: RegisterHistory | None) -> Difference:
    busy = any(one is not None and len(one.values) > BUSY_CHANGES for one in (before, after))
    written = any(one is not None and one.written for one in (before, after))
    return Difference(place, before.last if before else None, after.last if after else None, busy, written)
