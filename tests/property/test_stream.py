"""A stream of true, damaged and foreign advertisements keeps its promises (the long run: scripts/stream)."""

from __future__ import annotations

import pytest

from bluewatt.model.receiver import Receiver
from fuzz.stream import Figures, Stream, promises_kept


@pytest.fixture(scope="module", params=[3, 4])
def figures(request: pytest.FixtureRequest) -> Figures:
    return Stream(60_000, request.param).run()


def test_nothing_true_is_hidden_nothing_impossible_shown_no_key_blamed(figures: Figures) -> None:
    assert promises_kept(figures), figures


def test_the_stream_holds_what_it_is_about(figures: Figures) -> None:
    assert figures.flipped > 300
    assert figures.not_heard > 5_000
    assert figures.records_of_events > 500
    assert figures.marked_doubtful > 30
    assert figures.counts["Rejected"] > 50


def test_of_a_proven_key_no_checked_sample_is_late(figures: Figures) -> None:
    # Once a device: the first sample of those whose record alone proves no key.
    assert figures.checked_samples_late <= 2 * 30


def test_the_quick_way_and_the_careful_way_end_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    quick = Stream(20_000, 5).run()
    monkeypatch.setattr(Receiver, "_usual", lambda self, state, frame: None)
    monkeypatch.setattr(Receiver, "_is_last_again", lambda self, state, frame: False)
    careful = Stream(20_000, 5).run()
    quick.seconds = careful.seconds
    assert quick == careful
