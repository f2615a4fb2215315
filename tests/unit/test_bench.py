"""The bench's own arithmetic: a goal is a promise, so a missed one must show."""

from __future__ import annotations

import sys

import pytest

from bench import Row, Unmeasurable, command_cost, median_seconds, rate


@pytest.mark.parametrize(
    ("ours", "theirs", "unit", "goal", "reached"),
    [
        (500.0, 100.0, "/s", 5, True),
        (499.0, 100.0, "/s", 5, False),
        (0.06, 0.01, "s", 6, True),
        (0.061, 0.01, "s", 6, False),
        (151.0, None, "MB", 150, False),
        (50_000.0, None, "/s", 50_000, True),
        (0.061, 0.01, "s", None, None),
    ],
)
def test_a_goal_is_a_ratio_or_an_amount(
    ours: float, theirs: float | None, unit: str, goal: float | None, reached: bool | None
) -> None:
    assert Row(name="it", ours=ours, theirs=theirs, unit=unit, goal=goal).reached is reached


def test_what_a_command_took_is_measured() -> None:
    small = command_cost(sys.executable, "-c", "pass")
    large = command_cost(sys.executable, "-c", "import time; kept = bytearray(50_000_000); time.sleep(0.2)")
    assert large.seconds > 0.2
    assert large.megabytes > small.megabytes + 40


@pytest.mark.parametrize("command", [["no-such-program-anywhere"], [sys.executable, "-c", "raise SystemExit(3)"]])
def test_a_command_that_fails_is_not_measured(command: list[str]) -> None:
    with pytest.raises(Unmeasurable):
        command_cost(*command)


def test_the_median_leaves_the_warm_up_out() -> None:
    calls: list[int] = []
    assert median_seconds(lambda: calls.append(1), runs=3, warm_up=2) >= 0
    assert len(calls) == 5
    assert rate(lambda: None, items=10, runs=3) > 0
