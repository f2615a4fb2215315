"""The benches: each is a file with functions marked `@bench`, each function gives rows of a table."""

from __future__ import annotations

import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

__all__ = ["BENCHES", "Cost", "Row", "Unmeasurable", "bench", "command_cost", "median_cost", "median_seconds", "rate"]


@dataclass(frozen=True, kw_only=True)
class Row:
    """One measured thing: what it took us, what it took them, and what we promised."""

    name: str
    ours: float
    unit: str
    """Of `ours` and `theirs`: "s", "/s" or "MB"."""
    theirs: float | None = None
    rival: str = ""
    goal: float | None = None
    """The ratio promised: at least `goal` times as fast, or at most `goal` times as long or as large."""

    @property
    def ratio(self) -> float | None:
        """How many times their rate ours is; for seconds and megabytes how many times their amount."""
        return self.ours / self.theirs if self.theirs else None

    @property
    def reached(self) -> bool | None:
        """Whether the goal is met; `None` where there is none. Without a rival the goal is an amount."""
        measured = self.ratio if self.theirs else self.ours
        if self.goal is None or measured is None:
            return None
        return measured >= self.goal if self.unit == "/s" else measured <= self.goal


class Unmeasurable(Exception):
    """A bench cannot run here: the other program is not installed, or a part is missing. The message says which."""


BENCHES: dict[str, Callable[[], Iterable[Row]]] = {}


def bench(function: Callable[[], Iterable[Row]]) -> Callable[[], Iterable[Row]]:
    """Register a bench under its function's name."""
    BENCHES[function.__name__.replace("_", "-")] = function
    return function


def timed(action: Callable[[], object], runs: int) -> Iterator[float]:
    # Processor time: other programs on the machine do not count in it.
    for _ in range(runs):
        started = time.process_time()
        action()
        yield time.process_time() - started


def median_seconds(action: Callable[[], object], *, runs: int = 15, warm_up: int = 2) -> float:
    """The median processor time of an action over some runs, after a few that do not count."""
    for _ in range(warm_up):
        action()
    return statistics.median(timed(action, runs))


def rate(action: Callable[[], object], *, items: int, runs: int = 7) -> float:
    """Items per processor second of an action that handles `items` of them: the median of some runs."""
    return items / median_seconds(action, runs=runs, warm_up=1)


class Cost(NamedTuple):
    """What a whole command took."""

    seconds: float
    processor: float
    """Seconds of processor time: other programs on the machine do not count in it, a second thread does."""
    megabytes: float
    """Resident memory at its peak."""


LAUNCHER = """
import os, sys, time
started = time.perf_counter()
child = os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ, file_actions=[
    (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0), (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)])
_, status, usage = os.wait4(child, 0)
seconds = time.perf_counter() - started
print(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss, os.waitstatus_to_exitcode(status))
"""
"""Starts a command from a small process: a child counts the memory its parent had when it was started as its own."""


def command_cost(*command: str) -> Cost:
    """Run a command once, its output thrown away; Unmeasurable when it is missing or fails."""
    if shutil.which(command[0]) is None:
        raise Unmeasurable(f"{command[0]} is not installed")
    launcher = [sys.executable, "-S", "-E", "-c", LAUNCHER, *command]
    done = subprocess.run(launcher, capture_output=True, text=True, check=True)
    seconds, processor, peak, status = done.stdout.split()
    if int(status):
        raise Unmeasurable(f"{' '.join(command)[:80]}: {done.stderr.strip()[-200:]}")
    return Cost(float(seconds), float(processor), int(peak) / (2**20 if sys.platform == "darwin" else 2**10))


def median_cost(*command: str, runs: int = 15, warm_up: int = 2) -> Cost:
    """The median of some runs of a command, after a few that do not count; the memory is the largest of them."""
    costs = [command_cost(*command) for _ in range(warm_up + runs)][warm_up:]
    return Cost(
        statistics.median(cost.seconds for cost in costs),
        statistics.median(cost.processor for cost in costs),
        max(cost.megabytes for cost in costs),
    )
