"""VE.Smart broadcasts besides Instant Readout: a receiver that also opens what members of a network share. Pure.

It wraps a `Receiver`: a broadcast becomes register values if the key of its network is given; any other frame is passed
on to the receiver.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from bluewatt.errors import KeyProblem, WireError
from bluewatt.model.identity import Device
from bluewatt.model.reading import Frame, Reading, Undecoded
from bluewatt.model.receiver import Receiver
from bluewatt.model.register_values import RegisterReading, RegisterValue, explain_register
from bluewatt.tables.registers import NETWORK
from bluewatt.wire.instant_readout.advertisement import is_vesmart
from bluewatt.wire.vesmart.broadcast import Network, serial_text
from bluewatt.wire.vesmart.network import ContentHeard, NetworkReceiver

VESMART_MEDIUM = "vesmart"
"""The medium of register values broadcast in a network."""

_FIRMWARE = "firmware_version"
"""The layout of register 0x0102."""

FrameOutcome = Reading | RegisterReading | Undecoded
"""What a frame can give."""


class VeSmartReceiver:
    """A receiver that also opens the broadcasts of VE.Smart networks."""

    def __init__(self, receiver: Receiver, networks: Iterable[Network] = ()) -> None:
        self.receiver = receiver
        self._networks = tuple(networks)
        self._listener = NetworkReceiver(self._networks)

    def feed(self, frame: Frame) -> Sequence[FrameOutcome]:
        """Return what a frame gives; bytes never raise an error."""
        if self._networks and is_vesmart(frame.payload):
            return self._broadcast(frame)
        return self.receiver.feed(frame)

    def flush(self) -> Sequence[FrameOutcome]:
        """Return what was still held at the end of a capture."""
        return self.receiver.flush()

    def _broadcast(self, frame: Frame) -> list[FrameOutcome]:
        device = Device(frame.address, frame.address, frame.name)
        try:
            heard = self._listener.receive(frame.payload)
        except (WireError, KeyProblem) as error:
            reason = type(error).__name__
            self.receiver.counts[reason] += 1
            return [Undecoded(device, frame.at, frame, reason, str(error))]
        readings: list[FrameOutcome] = []
        for one in heard:
            if isinstance(one, ContentHeard) and (values := _values(one)):
                sender = Device(serial_text(one.serial), frame.address, frame.name)
                readings.append(RegisterReading(sender, frame.at, frame.origin, VESMART_MEDIUM, values))
        self.receiver.counts[VESMART_MEDIUM] += len(readings)
        return readings


def explain_shared(register: int, raw: bytes) -> RegisterValue:
    """Return a register of a broadcast with its meaning.

    A firmware version with an identifier is not a version. What broadcasts carry there is not known (protocol page
    vesmart-networking, single), so it has no value, only its bytes.
    """
    found = explain_register(register, raw, NETWORK)
    if found.row is not None and found.row.layout == _FIRMWARE and found.value and found.value["identifier"]:
        return msgspec.structs.replace(found, value=None, problem="not the layout of a firmware version")
    return found


def _values(heard: ContentHeard) -> tuple[RegisterValue, ...]:
    return tuple(explain_shared(record.register, record.raw) for record in heard.content.records)
