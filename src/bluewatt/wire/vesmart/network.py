"""The two ends of a VE.Smart network, sans-IO: what a listener remembers of its senders, how a sender counts.

Source: protocol page vesmart-networking, sections 3, 8 and 10. The counter has 48 bits: the low 32 stand in every
broadcast as its sequence, the high 16 only in overflow records (inferred). Without the high part nothing can be
decrypted, so a listener waits for the first overflow record of each sender.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import msgspec

from bluewatt.errors import KeyMismatch, KeyMissing, Malformed, Unencodable, UnknownType
from bluewatt.tables.vesmart import (
    COUNTER_BITS,
    DATA_PERIOD,
    LONGEST_FLAGGED_CONTENT,
    OVERFLOW_PERIOD,
    RESTART_SKIP,
    SEQUENCE_BITS,
)
from bluewatt.wire.vesmart.broadcast import (
    Broadcast,
    BroadcastContent,
    BroadcastValue,
    Network,
    build_broadcast,
    build_content,
    parse_broadcast,
    parse_content,
    seal,
    unseal,
)

REMEMBERED_COUNTERS = 64
"""Message counters remembered per sender: two adapters or a relay deliver 2, 3, 2, 3."""

MOST_WAITING = 64
"""Senders whose last broadcast is kept while their overflow counter is unknown; busy surroundings cost no more."""


class OverflowHeard(msgspec.Struct, frozen=True):
    """The authenticated high part of a sender's message counter: from here on its data can be read."""

    network_id: bytes
    serial: int
    sequence: int
    overflow: int


class ContentHeard(msgspec.Struct, frozen=True):
    """A sender's authenticated register values."""

    network_id: bytes
    serial: int
    sequence: int
    overflow: int
    content: BroadcastContent


NetworkEvent = OverflowHeard | ContentHeard


class Counts(msgspec.Struct):
    """Counts of what became of the broadcasts a receiver was given."""

    delivered: int = 0
    duplicates: int = 0
    replayed: int = 0
    """The number of overflow records older than one already authenticated."""
    pending: int = 0
    foreign: int = 0
    authentication_failures: int = 0
    malformed: int = 0
    ignored: int = 0


class _Sender:
    """The memory of one sender in one network."""

    def __init__(self) -> None:
        self.overflow: int | None = None
        self._counters: dict[tuple[int, int, int], None] = {}

    def repeats(self, broadcast: Broadcast, overflow: int) -> bool:
        """Return whether an authenticated broadcast of this type and counter was among the last; remember this one."""
        counter = broadcast.record_type, overflow, broadcast.sequence
        if counter in self._counters:
            return True
        self._counters[counter] = None
        if len(self._counters) > REMEMBERED_COUNTERS:
            del self._counters[next(iter(self._counters))]
        return False

    def is_older(self, overflow: int) -> bool:
        """Return whether an overflow counter is below the one authenticated last: counters only grow."""
        return self.overflow is not None and overflow < self.overflow


class NetworkReceiver:
    """A listener that belongs to some networks: payloads in, authenticated register values out, each once."""

    def __init__(self, networks: Iterable[Network] = ()) -> None:
        self.counts = Counts()
        self._networks: dict[int, list[Network]] = {}
        self._senders: dict[tuple[bytes, int], _Sender] = {}
        self._waiting: dict[tuple[int, int], Broadcast] = {}
        for network in networks:
            self.add(network)

    def add(self, network: Network) -> None:
        """Learn a network, or its changed key; what was known of its senders is forgotten."""
        same_group = self._networks.setdefault(network.group, [])
        same_group[:] = [known for known in same_group if known.network_id != network.network_id] + [network]
        self._senders = {key: sender for key, sender in self._senders.items() if key[0] != network.network_id}

    def receive(self, payload: bytes) -> tuple[NetworkEvent, ...]:
        """Take a payload; returns what was heard, nothing for a repetition or while the overflow counter is unknown.

        The overflow record a sender was waited for also returns the last content that came before it.
        Raises UnknownType for another kind of advertisement, Malformed for a wrong length, KeyMissing for a foreign
        network, KeyMismatch when no tag verifies. Every outcome is counted; nothing comes from an unauthenticated
        broadcast.
        """
        try:
            broadcast = parse_broadcast(payload)
            heard = (
                self._data(broadcast) if broadcast.overflow is None else self._overflow(broadcast, broadcast.overflow)
            )
        except UnknownType:
            self.counts.ignored += 1
            raise
        except Malformed:
            self.counts.malformed += 1
            raise
        except KeyMissing:
            self.counts.foreign += 1
            raise
        except KeyMismatch:
            self.counts.authentication_failures += 1
            raise
        return heard

    def _candidates(self, broadcast: Broadcast) -> list[Network]:
        networks = self._networks.get(broadcast.group)
        if not networks:
            raise KeyMissing(f"no key is known for VE.Smart network {broadcast.group:02x}..")
        return networks

    def _overflow(self, broadcast: Broadcast, overflow: int) -> tuple[NetworkEvent, ...]:
        network, overflow, _ = _open(broadcast, [(network, overflow) for network in self._candidates(broadcast)])
        sender = self._senders.setdefault((network.network_id, broadcast.serial), _Sender())
        if sender.repeats(broadcast, overflow):
            self.counts.duplicates += 1
            return ()
        if sender.is_older(overflow):  # it would lock the sender out: its data no longer opens with that counter
            self.counts.replayed += 1
            return ()
        sender.overflow = overflow
        event = OverflowHeard(network.network_id, broadcast.serial, broadcast.sequence, overflow)
        return event, *self._released(broadcast)

    def _released(self, overflow_record: Broadcast) -> tuple[NetworkEvent, ...]:
        """Return what waited for this overflow record if it opens now; if not, it was sealed with another counter."""
        waiting = self._waiting.pop((overflow_record.group, overflow_record.serial), None)
        if waiting is None:
            return ()
        try:
            return self._data(waiting)
        except KeyMismatch:
            self.counts.authentication_failures += 1
            return ()

    def _data(self, broadcast: Broadcast) -> tuple[NetworkEvent, ...]:
        candidates = [
            (network, sender.overflow)
            for network in self._candidates(broadcast)
            if (sender := self._senders.get((network.network_id, broadcast.serial))) and sender.overflow is not None
        ]
        if not candidates:
            self._wait(broadcast)
            return ()
        network, overflow, plaintext = _open(broadcast, candidates)
        if self._senders[network.network_id, broadcast.serial].repeats(broadcast, overflow):
            self.counts.duplicates += 1
            return ()
        content = parse_content(plaintext)
        self.counts.delivered += 1
        self.counts.malformed += content.malformed
        return (ContentHeard(network.network_id, broadcast.serial, broadcast.sequence, overflow, content),)

    def _wait(self, broadcast: Broadcast) -> None:
        self.counts.pending += 1
        self._waiting.pop((broadcast.group, broadcast.serial), None)
        self._waiting[broadcast.group, broadcast.serial] = broadcast
        if len(self._waiting) > MOST_WAITING:
            del self._waiting[next(iter(self._waiting))]


def _open(broadcast: Broadcast, candidates: list[tuple[Network, int]]) -> tuple[Network, int, bytes]:
    """Return the first network and counter whose tag verifies, and the plaintext; raises KeyMismatch when none does."""
    for network, overflow in candidates[:-1]:
        try:
            return network, overflow, unseal(broadcast, network, overflow)
        except KeyMismatch:
            continue
    network, overflow = candidates[-1]
    return network, overflow, unseal(broadcast, network, overflow)


class NetworkSender:
    """One member of a network: values in, payloads to advertise out, every count used once.

    The emulator asks `due` at every `deadline` and puts the payload on air. `counter` has to be kept over a restart and
    given back as `last_counter`. On a real radio this is an experiment: false voltages can make chargers overcharge a
    battery (section 8).
    """

    def __init__(
        self,
        network: Network,
        serial: int,
        *,
        last_counter: int | None = None,
        period: float = DATA_PERIOD,
        longest: int = LONGEST_FLAGGED_CONTENT,
        announce: float = OVERFLOW_PERIOD,
    ) -> None:
        self.network, self.serial = network, serial
        self.counter = 0 if last_counter is None else last_counter + RESTART_SKIP
        """The last count used."""
        self._period, self._longest, self._announce = period, longest, announce
        self._values: dict[int, bytes] = {}
        self._announced: int | None = None
        self._announce_at = self._data_at = -math.inf

    def update(self, values: Mapping[int, bytes]) -> None:
        """Set raw register values to send from now on; raises Unencodable for one that no broadcast can hold."""
        for register, raw in values.items():
            build_content(BroadcastContent((BroadcastValue(register, raw),)), longest=self._longest)
        self._values.update(values)

    @property
    def deadline(self) -> float:
        """When the next payload is due; in the past for at once."""
        return min(self._announce_at, self._data_at) if self._values else self._announce_at

    def due(self, now: float) -> bytes | None:
        """Return the payload to advertise now, if one is due: an overflow record before any data that needs it.

        Raises Unencodable when the 48-bit counter is used up: the network needs a new key.
        """
        if now >= self._announce_at or self._announced != (self.counter + 1) >> SEQUENCE_BITS:
            self._announce_at = now + self._announce
            return self._seal(b"")
        if self._values and now >= self._data_at:
            self._data_at = now + self._period
            return self._seal(self._next_content())
        return None

    def _seal(self, plaintext: bytes) -> bytes:
        if self.counter + 1 >> COUNTER_BITS:
            raise Unencodable("the message counter is used up")
        self.counter += 1
        overflow, sequence = divmod(self.counter, 1 << SEQUENCE_BITS)
        self._announced = overflow
        sealed = seal(self.network, serial=self.serial, sequence=sequence, overflow=overflow, plaintext=plaintext)
        return build_broadcast(sealed)

    def _next_content(self) -> bytes:
        """Return as many values as fit, and move them from the front of the round to its end."""
        values: tuple[BroadcastValue, ...] = ()
        plaintext = b""
        for value in map(BroadcastValue._make, tuple(self._values.items())):
            try:
                plaintext = build_content(BroadcastContent((*values, value)), longest=self._longest)
            except Unencodable:
                break
            values = (*values, value)
            self._values[value.register] = self._values.pop(value.register)
        return plaintext
