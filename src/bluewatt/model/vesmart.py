"""VE.Smart broadcasts beside Instant Readout: a receiver that also knows the values chargers tell each other. Pure.

It stands in front of `Receiver`: what is a broadcast of a network we have the key of becomes register values, all else
goes on to the receiver behind.
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
"""How the register values of a network travelled, in `RegisterReading.medium`."""

_FIRMWARE = "firmware_version"
"""The layout of register 0x0102."""

FrameOutcome = Reading | RegisterReading | Undecoded
"""What a frame can lead to."""


class VeSmartReceiver:
    """A receiver that reads the broadcasts of VE.Smart networks, too."""

    def __init__(self, receiver: Receiver, networks: Iterable[Network] = ()) -> None:
        self.receiver = receiver
        self._networks = tuple(networks)
        self._listener = NetworkReceiver(self._networks)

    def feed(self, frame: Frame) -> Sequence[FrameOutcome]:
        """What a frame leads to; never raises on bytes."""
        if self._networks and is_vesmart(frame.payload):
            return self._broadcast(frame)
        return self.receiver.feed(frame)

    def flush(self) -> Sequence[FrameOutcome]:
        """At the end of a capture: what still waited."""
        return self.receiver.flush()

    def _broadcast(self, frame: Frame) -> list[FrameOutcome]:
        device = Device(frame.address, frame.address, frame.name)
        try:
            heard = self._listener.receive(frame.payload)
        except (WireError, KeyProblem) as error:
            reason = type(error).__name__
            self.receiver.counts[reason] += 1
            return [Undecoded(device, frame.at, frame, reason, str(error))]
        told: list[FrameOutcome] = []
        for one in heard:
            if isinstance(one, ContentHeard) and (values := _values(one)):
                sender = Device(serial_text(one.serial), frame.address, frame.name)
                told.append(RegisterReading(sender, frame.at, frame.origin, VESMART_MEDIUM, values))
        self.receiver.counts[VESMART_MEDIUM] += len(told)
        return told


def explain_shared(register: int, raw: bytes) -> RegisterValue:
    """A register of a broadcast with its meaning.

    A firmware version that has an identifier is no version: what broadcasts carry there is not known (protocol page
    vesmart-networking, single), so it has no value, only its bytes.
    """
    told = explain_register(register, raw, NETWORK)
    if told.row is not None and told.row.layout == _FIRMWARE and told.value and told.value["identifier"]:
        return msgspec.structs.replace(told, value=None, problem="not the layout of a firmware version")
    return told


def _values(heard: ContentHeard) -> tuple[RegisterValue, ...]:
    return tuple(explain_shared(record.register, record.raw) for record in heard.content.records)
