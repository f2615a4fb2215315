"""A damaged stream through the receiver keeps its promises (the long run: scripts/stream)."""

from __future__ import annotations

import pytest

from fuzz.stream import Stream, promises_kept


@pytest.mark.parametrize("seed", [3, 4])
def test_no_impossible_value_no_false_alarm_nothing_good_lost(seed: int) -> None:
    figures = Stream(60_000, seed).run()
    assert promises_kept(figures), figures
    assert figures.flipped > 400
    assert figures.counts["Rejected"] > 50
