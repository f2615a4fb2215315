"""Everything in a capture, in its order: from packets to readings, register values and lines. Pure.

One transcript reads one capture. A key that a client reads from its device is used at once for the advertisements that
follow. A product or name heard in an advertisement names the device of a later connection.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import groupby

from bluewatt.errors import CaptureError, WireError
from bluewatt.model.dialogue.conversation import Conversation, Line
from bluewatt.model.keys import KeyRing
from bluewatt.model.reading import ADVERTISEMENT, Frame
from bluewatt.model.receiver import Receiver
from bluewatt.model.vesmart import FrameOutcome, VeSmartReceiver
from bluewatt.wire.bluetooth.advertisement_reader import AdvertisementReader
from bluewatt.wire.bluetooth.air_connections import AirLinks
from bluewatt.wire.bluetooth.hci_connections import HciLinks, LinkEvent
from bluewatt.wire.bluetooth.packets import Packet, PacketKind
from bluewatt.wire.containers.damage import Damage
from bluewatt.wire.instant_readout.advertisement import parse_advertisement
from bluewatt.wire.vesmart.broadcast import Network

_MOST_NAMES = 0x4000
_EVENT, _AIR = int(PacketKind.EVENT), int(PacketKind.AIR)
_LE_META = 0x3E
_CONNECTION_SUBEVENTS = frozenset({0x01, 0x0A, 0x29})

TranscriptItem = FrameOutcome | Line
"""One thing in a capture: a reading, register values of a network, an undecoded frame, or a line of a conversation."""


DecodedPacket = tuple[Frame | None, Sequence[TranscriptItem]]
"""An advertisement with what it gave; for packets of connections, None and the lines."""


class Transcript:
    """Reads a capture; puts damage into `problems`, which the caller empties."""

    def __init__(
        self,
        origin: str,
        keys: KeyRing | None = None,
        networks: Iterable[Network] = (),
        long_term_keys: Iterable[bytes] = (),
    ) -> None:
        self.origin = origin
        receiver = Receiver(keys)
        self.keys = receiver.keys
        self.receiver = VeSmartReceiver(receiver, networks)
        self.conversation = Conversation(self.keys)
        self.problems: list[CaptureError] = []
        self.packets = 0
        self.backwards = 0
        """Packets whose time stamp is earlier than that of the packet before."""
        self.backwards_at = 0
        """Byte offset of the first such packet."""
        self._advertisements = AdvertisementReader()
        self._hci, self._air = HciLinks(), AirLinks(long_term_keys)
        self._advertisements.problems = self._hci.problems = self._air.problems = self.problems
        self._last = 0.0
        self._damage, self._checked = Damage(), True

    @property
    def bad_crc(self) -> int:
        """Packets that a sniffer heard with a wrong checksum."""
        return self._advertisements.bad_crc

    @property
    def unreadable(self) -> int:
        """Packets of encrypted connections whose key is not given."""
        return self._air.unreadable

    def feed(self, packets: list[Packet]) -> Iterator[DecodedPacket]:
        """Yield what the packets give, each advertisement with its frame, in their order.

        The caller has put the damage of the container into `problems`; advertisements near it are not checked.
        """
        self.packets += len(packets)
        for part, checked in list(self._damage.split(packets, self.problems)):
            self._checked = checked
            for of_connections, run in groupby(part, _concerns_connection):
                if of_connections:
                    yield from self._connections(run)
                else:
                    yield from self._advertised(list(run))

    def finish(self) -> list[TranscriptItem]:
        """Return what was unfinished, and the readings that were held, at the end of the capture."""
        return [*self.conversation.finish(self._last), *self.receiver.flush()]

    def _connections(self, packets: Iterable[Packet]) -> Iterator[DecodedPacket]:
        receive, hci, air = self.conversation.receive, self._hci.read, self._air.read
        for packet in packets:
            if packet[0] < self._last:
                self._note_backwards(packet[4])
            self._last = packet[0]
            if packet[1] >= _AIR:
                yield from self._advertised([packet])
                event: LinkEvent | None = air(packet)
            else:
                event = hci(packet)
            if event is not None and (lines := receive(event)):
                yield None, lines

    def _advertised(self, packets: list[Packet]) -> Iterator[DecodedPacket]:
        feed, names, products = self.receiver.feed, self.conversation.names, self.conversation.products
        last, checked = self._last, self._checked
        for at, address, _, rssi, _, payload, name in self._advertisements.read(packets):
            if at < last:
                self._note_backwards(next((packet[4] for packet in packets if packet[0] == at), 0))
            self._last = last = at
            if name is not None:
                if len(names) >= _MOST_NAMES:
                    names.clear()
                names[address] = name
            if payload is not None:
                frame = Frame(at, self.origin, ADVERTISEMENT, address, payload, rssi, names.get(address), checked)
                if address not in products:
                    self.introduce(address, payload)
                yield frame, feed(frame)

    def introduce(self, address: str, payload: bytes) -> None:
        """Remember the product of an address, as its advertisement says."""
        if len(self.conversation.products) >= _MOST_NAMES:
            return
        with suppress(WireError):
            self.conversation.products[address] = parse_advertisement(payload).product_id

    def _note_backwards(self, offset: int) -> None:
        self.backwards_at = self.backwards_at or offset
        self.backwards += 1


def _concerns_connection(packet: Packet) -> bool:
    """Return whether a packet may concern a connection; nearly all others are advertisements."""
    kind, data = packet[1], packet[3]
    if kind != _EVENT:
        return True
    size = len(data)
    if size < 3 or data[1] != size - 2:
        return False  # damaged: the reader of advertisements says so
    return data[0] != _LE_META or data[2] in _CONNECTION_SUBEVENTS
