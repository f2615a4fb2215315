"""The devices heard: what each is, its last values, its signal strength, and why it has no values. Pure."""

from __future__ import annotations

from collections.abc import Callable

from bluewatt.errors import UnknownType
from bluewatt.model.identity import Device
from bluewatt.model.presence import Presence, PresenceState, Timeline
from bluewatt.model.reading import Frame, Reading, Undecoded
from bluewatt.model.reasons import REASONS, REJECTED, VESMART
from bluewatt.model.recent import Recent
from bluewatt.model.register_values import RegisterReading, RegisterValue
from bluewatt.wire.instant_readout.advertisement import is_vesmart, refuses_connections

RSSI_WEIGHT = 0.2
"""Weight of the newest signal strength in the running mean that orders the list."""
FAR = -200.0
"""The signal strength, dBm, by which a device of unknown strength is put in order."""

BAD_BROADCASTS = 5
"""Broadcasts in a row, none of which a network key opens, that mean a wrong key; fewer are damage on air."""
REFUSES = "takes no connection now"
"""The hint about a device that says so in its advertisements (single source)."""
CONNECTED_ELSEWHERE = "silent: out of range, or connected to an app"
"""The reason of a device that was heard before and is silent now."""


class RosterEntry:
    """One device of the roster."""

    __slots__ = ("bad_broadcasts", "device", "frames", "network", "presence", "reading", "refuses", "rssi", "silent")

    def __init__(self, device: Device) -> None:
        self.device = device
        self.presence = Presence()
        self.rssi: float | None = None
        """Running mean of the signal strength, dBm."""
        self.frames = 0
        self.reading: Reading | None = None
        """The last values."""
        self.refuses = False
        """Whether its last advertisement said that it takes no connection now (single source)."""
        self.network: dict[str, RegisterValue] = {}
        """The last values it broadcast in its VE.Smart network, by key."""
        self.bad_broadcasts = 0
        """Broadcasts of its VE.Smart network that could not be opened since the last one that could."""
        self.silent: Undecoded | None = None
        """Why the last frame gave no values; None while they come."""

    def hint(self, now: float) -> str | None:
        """Return what a person who wants to connect should know; None if nothing prevents it."""
        return REFUSES if self.refuses and self.presence.state(now) is PresenceState.SEEN else None

    def why(self, now: float) -> str | None:
        """Return why there are no (fresh) values, in a sentence with the remedy; None while they come."""
        if self.presence.state(now) is not PresenceState.SEEN:
            return CONNECTED_ELSEWHERE
        if self.silent is None:
            return None
        if self.silent.reason == UnknownType.__name__ and self.silent.record_type is not None:
            return f"unknown record type 0x{self.silent.record_type:02X}: please report it"
        reason = REASONS.get(self.silent.reason)
        if reason is None:
            return self.silent.detail
        network_hint = reason.network_hint if is_vesmart(self.silent.frame.payload) else ""
        return network_hint or reason.hint or self.silent.detail


class Roster:
    """All devices heard, by address; of very many, those heard last and those for which `has_key` is true."""

    def __init__(self, has_key: Callable[[str], bool] = lambda address: False) -> None:
        self.entries: Recent[RosterEntry] = Recent(has_key=lambda address: has_key(address) or self._is_member(address))
        self.timeline = Timeline()
        """The time of the frames, which never runs backwards; for a file, its `now` is the present."""
        self._members: dict[str, str] = {}
        """Serial number of a member of a VE.Smart network → the address it was heard from last."""

    def _is_member(self, address: str) -> bool:
        return address in self._members.values()

    def heard(self, frame: Frame, at: float | None = None) -> RosterEntry:
        """Note presence and signal strength of the sender of a frame, whatever is in it; return its entry.

        `at` is the time of a monotonic clock, in seconds. Without it the frame's own stamp counts, whose clock may have
        been set meanwhile.
        """
        entry = self.entries.get(frame.address)
        if entry is None:
            entry = self.entries.remember(frame.address, RosterEntry(Device(frame.address, frame.address, frame.name)))
        else:
            self.entries.move_to_end(frame.address)
        entry.presence.heard(self.timeline.at(frame.at) if at is None else at)
        entry.frames += 1
        if not is_vesmart(frame.payload):
            entry.refuses = refuses_connections(frame.payload)
        if frame.rssi is not None:
            old = entry.rssi if entry.rssi is not None else float(frame.rssi)
            entry.rssi = old + RSSI_WEIGHT * (frame.rssi - old)
        return entry

    def update(self, outcome: Reading | Undecoded) -> RosterEntry:
        """Take what the receiver made of a frame; return the entry of its device."""
        entry = self.entries.get(outcome.device.address) or self.heard(outcome.frame)
        if isinstance(outcome, Undecoded) and is_vesmart(outcome.frame.payload):
            return _unopened(entry, outcome)
        entry.device = outcome.device
        if isinstance(outcome, Reading):
            entry.reading, entry.silent = outcome, None
        elif outcome.reason not in (VESMART, REJECTED) or entry.reading is None:
            entry.silent = outcome
        return entry

    def update_network(self, reading: RegisterReading) -> None:
        """Take values that a member of a VE.Smart network broadcast; its frame was heard before."""
        entry = self.entries.get(reading.device.address)
        if entry is not None:
            self._members[reading.device.id] = reading.device.address
            if entry.silent is not None and is_vesmart(entry.silent.frame.payload):
                entry.silent = None
            entry.bad_broadcasts = 0
            entry.network.update({value.key: value for value in reading.values})

    def nearest_first(self) -> list[RosterEntry]:
        """Return all devices, the strongest signal first."""
        return sorted(self.entries.values(), key=lambda entry: -(entry.rssi if entry.rssi is not None else FAR))


def _unopened(entry: RosterEntry, outcome: Undecoded) -> RosterEntry:
    """Note a broadcast of a VE.Smart network that gave nothing; it says little about a device whose values come."""
    if entry.device.product_id is None:
        entry.device = outcome.device
    entry.bad_broadcasts += 1
    believed = entry.bad_broadcasts >= BAD_BROADCASTS if entry.network else entry.reading is None
    if believed:
        entry.silent = outcome
    return entry
