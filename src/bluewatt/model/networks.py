"""VE.Smart broadcasts beside Instant Readout: a receiver that also knows the values chargers tell each other. Pure.

It stands in front of `Receiver`: what is a broadcast of a network we have the key of becomes register values, all else
goes on to the receiver behind.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bluewatt.errors import KeyProblem, WireError
from bluewatt.model.reading import Device, Frame, Reading, Undecoded
from bluewatt.model.receiver import Receiver
from bluewatt.model.registers import RegisterReading, RegisterValue, explain_register
from bluewatt.tables.registers import NETWORK
from bluewatt.wire.advert import is_vesmart
from bluewatt.wire.vesmart import Network, serial_text
from bluewatt.wire.vesmart_network import ContentHeard, NetworkReceiver

VESMART_MEDIUM = "vesmart"
"""How the register values of a network travelled, in `RegisterReading.medium`."""

Told = Reading | RegisterReading | Undecoded
"""What a frame can lead to."""


class NetworkAwareReceiver:
    """A receiver that reads the broadcasts of VE.Smart networks, too."""

    def __init__(self, receiver: Receiver, networks: Iterable[Network] = ()) -> None:
        self.receiver = receiver
        self._networks = tuple(networks)
        self._listener = NetworkReceiver(self._networks)

    def feed(self, frame: Frame) -> Sequence[Told]:
        """What a frame leads to; never raises on bytes."""
        if self._networks and is_vesmart(frame.payload):
            return self._broadcast(frame)
        return self.receiver.feed(frame)

    def flush(self) -> Sequence[Told]:
        """At the end of a capture: what still waited."""
        return self.receiver.flush()

    def _broadcast(self, frame: Frame) -> list[Told]:
        device = Device(frame.address, frame.address, frame.name)
        try:
            heard = self._listener.receive(frame.payload)
        except (WireError, KeyProblem) as error:
            reason = type(error).__name__
            self.receiver.counts[reason] += 1
            return [Undecoded(device, frame.at, frame, reason, str(error))]
        told: list[Told] = []
        for one in heard:
            if isinstance(one, ContentHeard) and (values := _values(one)):
                sender = Device(serial_text(one.serial), frame.address, frame.name)
                told.append(RegisterReading(sender, frame.at, frame.origin, VESMART_MEDIUM, values))
        self.receiver.counts[VESMART_MEDIUM] += len(told)
        return told


def _values(heard: ContentHeard) -> tuple[RegisterValue, ...]:
    return tuple(explain_register(record.register, record.raw, NETWORK) for record in heard.content.records)
