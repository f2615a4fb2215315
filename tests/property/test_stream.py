"""A damaged stream through the receiver keeps its promises (the long run: scripts/stream)."""

from __future__ import annotations

import pytest

from bluewatt.model.receiver import Receiver
from fuzz.stream import Stream, promises_kept


@pytest.mark.parametrize("seed", [3, 4])
def test_no_impossible_value_no_false_alarm_nothing_good_lost(seed: int) -> None:
    figures = Stream(60_000, seed).run()
    assert promises_kept(figures), figures
    assert figures.flipped > 400
    assert figures.counts["Rejected"] > 50


def test_the_quick_way_and_the_careful_way_end_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    quick = Stream(20_000, 5).run()
    monkeypatch.setattr(Receiver, "_usual", lambda self, state, frame: None)
    monkeypatch.setattr(Receiver, "_is_last_again", lambda self, state, frame: False)
    careful = Stream(20_000, 5).run()
    quick.seconds = careful.seconds
    assert quick == careful
