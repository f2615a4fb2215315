"""The fuzzer itself: its good inputs are good, it finds what is there to find, and a short run finds nothing."""

from __future__ import annotations

import random

import pytest

from fuzz import __main__ as fuzzer
from fuzz.targets import TARGETS, Target


@pytest.mark.parametrize("name", sorted(TARGETS))
def test_a_short_run_finds_nothing(name: str) -> None:
    _, tried, finding = fuzzer.fire(name, "the test's own", 20_000)
    assert tried == 20_000
    assert finding is None, finding


@pytest.mark.parametrize("name", sorted(TARGETS))
def test_the_seeds_are_accepted(name: str) -> None:
    for seed in TARGETS[name].seeds:
        TARGETS[name].run(seed)


def test_what_is_not_promised_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def fragile(data: bytes) -> None:
        data.index(0x42)

    monkeypatch.setitem(TARGETS, "fragile", Target(fragile))
    _, _, finding = fuzzer.fire("fragile", "seed", 100)
    assert finding is not None
    assert "ValueError" in finding


def test_the_same_seed_gives_the_same_inputs() -> None:
    def draw(seed: int) -> list[bytes]:
        return list(fuzzer.inputs([b"\x10\x00\x89\xa3"], random.Random(seed), 200))

    assert draw(1) == draw(1)
    assert draw(1) != draw(2)
    assert len({len(data) for data in draw(1)}) > 20
