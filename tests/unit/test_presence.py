"""Presence: a device's own rhythm, not an old silence and not a clock that was set."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from bluewatt.model.keys import KeyRing
from bluewatt.model.presence import (
    GONE_MOST,
    GONE_SECONDS,
    OUT_OF_ORDER,
    STALE_INTERVALS,
    STALE_MOST,
    STALE_SECONDS,
    Presence,
    PresenceState,
    Timeline,
)
from bluewatt.model.reading import ADVERTISEMENT, Frame
from bluewatt.model.roster import Roster
from bluewatt.services.source_reader import SourceReader

DAY = 86_400.0
ADDRESS = "AA:BB:CC:DD:EE:FF"


def heard_at(*times: float) -> Presence:
    presence = Presence()
    for time in times:
        presence.heard(time)
    return presence


def every(interval: float, count: int, start: float = 0.0) -> list[float]:
    return [start + interval * number for number in range(count)]


def test_before_the_first_sign_a_device_is_gone() -> None:
    assert (Presence().age(5.0), Presence().state(5.0)) == (None, PresenceState.GONE)


def test_seen_then_stale_then_gone() -> None:
    presence = heard_at(*every(1.0, 20))
    assert presence.state(19 + STALE_SECONDS) is PresenceState.SEEN
    assert presence.state(19 + STALE_SECONDS + 0.1) is PresenceState.STALE
    assert presence.state(19 + GONE_SECONDS) is PresenceState.STALE
    assert presence.state(19 + GONE_SECONDS + 0.1) is PresenceState.GONE


def test_a_sign_out_of_order_makes_nobody_older() -> None:
    presence = heard_at(10.0, 11.0, 5.0)
    assert presence.last == 11.0
    assert presence.age(12.0) == 1.0
    assert presence.interval == 1.0


def test_the_rhythm_is_what_is_usual_not_what_was_last_nor_the_mean() -> None:
    # Three long gaps among nine: the mean is 41 s, the last gap 120 s, the median what it always was.
    presence = heard_at(*every(2.0, 7), 132.0, 252.0, 372.0)
    assert presence.interval == 2.0
    assert presence.state(372 + STALE_INTERVALS * 2.0) is PresenceState.SEEN
    assert presence.state(372 + STALE_INTERVALS * 2.0 + 0.1) is PresenceState.STALE


def test_a_short_gap_is_no_rhythm_either() -> None:
    presence = heard_at(*every(20.0, 10), 180.5)
    assert presence.interval == 20.0
    assert presence.state(180.5 + 100) is PresenceState.SEEN


def test_a_slow_device_has_its_own_patience_up_to_a_cap() -> None:
    presence = heard_at(*every(30.0, 10))
    assert presence.state(270 + 200) is PresenceState.SEEN
    slow = heard_at(*every(250.0, 10))
    assert slow.state(9 * 250 + STALE_MOST) is PresenceState.SEEN
    assert slow.state(9 * 250 + STALE_MOST + 1) is PresenceState.STALE
    assert slow.state(9 * 250 + GONE_MOST + 1) is PresenceState.GONE


@pytest.mark.parametrize("silence", [STALE_MOST + 1, DAY, 40 * DAY])
@pytest.mark.parametrize("before", [1, 2, 20])
def test_an_old_silence_keeps_nobody_seen(silence: float, before: int) -> None:
    presence = heard_at(*every(1.0, before), before + silence)
    back = before + silence
    assert presence.state(back + STALE_SECONDS) is PresenceState.SEEN
    assert presence.state(back + STALE_SECONDS + 1) is PresenceState.STALE
    assert presence.state(back + GONE_SECONDS + 1) is PresenceState.GONE


def test_time_goes_on_when_the_clock_behind_the_stamps_is_set_back() -> None:
    timeline = Timeline()
    assert [timeline.at(stamp) for stamp in (1000.0, 1001.0)] == [1000.0, 1001.0]
    assert [timeline.at(stamp) for stamp in (500.0, 501.0, 510.0)] == [1001.0, 1002.0, 1011.0]
    assert timeline.now == 1011.0


def test_stamps_a_little_out_of_order_are_no_set_clock() -> None:
    timeline = Timeline()
    stamps = [1000.0, 1001.0, 1001.0 - OUT_OF_ORDER, 1002.0]
    assert [timeline.at(stamp) for stamp in stamps] == stamps


def frame(at: float, address: str = ADDRESS) -> Frame:
    return Frame(at, "test:", ADVERTISEMENT, address, b"\x10\x00\x89\xa3")


def test_a_capture_whose_clock_was_set_back_keeps_nobody_seen() -> None:
    roster = Roster()
    entry = roster.heard(frame(3 * DAY))
    other = "AA:BB:CC:DD:EE:00"
    for second in range(300):
        roster.heard(frame(float(second), other))
    assert entry.presence.state(roster.timeline.now) is PresenceState.GONE
    assert roster.entries[other].presence.state(roster.timeline.now) is PresenceState.SEEN


class Radio:
    """A source that listens now, as far as presence is concerned: its frames carry the time of the system's clock."""

    mode, mode_reason, counters = "passive", "", None

    def __init__(self, frames: list[tuple[float, Frame]], clock: list[float]) -> None:
        self.frames, self.clock = frames, clock

    async def __aenter__(self) -> Radio:
        return self

    async def __aexit__(self, *error: object) -> None: ...

    async def __aiter__(self) -> AsyncIterator[Frame]:
        for elapsed, heard in self.frames:
            self.clock[0] = elapsed
            yield heard


@pytest.mark.parametrize("step", [-3 * DAY, 3 * DAY], ids=["back", "forward"])
async def test_a_step_of_the_system_clock_changes_nobodys_presence(step: float) -> None:
    clock = [0.0]
    stamps = [1000.0 + second + (step if second >= 10 else 0.0) for second in range(20)]
    radio: Any = Radio([(100.0 + n, frame(at)) for n, at in enumerate(stamps)], clock)
    source = SourceReader(radio, KeyRing(), steady_clock=lambda: clock[0])
    async with source:
        async for _ in source.outcomes():
            pass
    entry = source.roster.entries[ADDRESS]
    assert entry.presence.age(source.presence_time()) == 0.0
    clock[0] += STALE_SECONDS + 1
    assert entry.presence.state(source.presence_time()) is PresenceState.STALE
    clock[0] += GONE_SECONDS
    assert entry.presence.state(source.presence_time()) is PresenceState.GONE
