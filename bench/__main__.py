"""`scripts/bench`: run benches and print what they measured."""

from __future__ import annotations

import argparse
import compileall
import importlib
import json
import pkgutil
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import bench
import bluewatt
from bench import BENCHES, Row, Unmeasurable


def compile_package() -> None:
    """Compile the package as an installation does: a start must not be measured that compiles it anew."""
    compileall.compile_dir(str(Path(bluewatt.__file__).parent), quiet=1)


def load() -> None:
    for module in pkgutil.iter_modules(bench.__path__):
        if not module.name.startswith("_"):
            importlib.import_module(f"bench.{module.name}")


def measure(names: list[str]) -> Iterator[tuple[str, Row]]:
    for name in names:
        print(f"bench: {name} …", file=sys.stderr)
        try:
            for row in BENCHES[name]():
                yield name, row
        except Unmeasurable as reason:
            print(f"bench: {name} not measured: {reason}", file=sys.stderr)


def amount(value: float | None, unit: str) -> str:
    if value is None:
        return ""
    if unit == "s":
        return f"{value * 1000:.1f} ms" if value < 1 else f"{value:.2f} s"
    return f"{value:,.0f} {unit}"


def line(row: Row) -> str:
    ratio = f"{row.ratio:.2f}×" if row.ratio else ""
    sign = "≥" if row.unit == "/s" else "≤"
    goal = "" if row.goal is None else f"{sign} {row.goal:g}×" if row.theirs else f"{sign} {amount(row.goal, row.unit)}"
    verdict = {True: "ok", False: "MISSED", None: ""}[row.reached]
    cells = [amount(row.ours, row.unit), amount(row.theirs, row.unit), row.rival, ratio, goal, verdict]
    widths = [14, 14, 22, 9, 12, 6]
    return f"{row.name:<46}" + " ".join(f"{cell:>{width}}" for cell, width in zip(cells, widths, strict=True))


def main() -> int:
    compile_package()
    load()
    parser = argparse.ArgumentParser(prog="scripts/bench", description="Measures ours beside others in one run.")
    parser.add_argument("name", nargs="*", help=f"which benches (all when none is named): {', '.join(BENCHES)}")
    parser.add_argument("--json", action="store_true", help="one JSON object per row instead of a table")
    chosen = parser.parse_args()
    unknown = set(chosen.name) - set(BENCHES)
    if unknown:
        parser.error(f"no such bench: {', '.join(sorted(unknown))}; there are: {', '.join(BENCHES)}")
    if not chosen.json:
        heads = f"{'ours':>14} {'theirs':>14} {'beside':>22} {'ratio':>9} {'goal':>12}"
        print(f"{'':46}{heads}")
    missed = False
    for name, row in measure(chosen.name or list(BENCHES)):
        missed |= row.reached is False
        facts = {"bench": name, **asdict(row), "ratio": row.ratio, "reached": row.reached}
        print(json.dumps(facts) if chosen.json else line(row), flush=True)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
