"""How long the command takes before it does anything, beside an interpreter that does nothing."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from bench import Row, Unmeasurable, bench, median_seconds
from bench.samples import KEY, battery_monitor

COMMAND = Path(sys.executable).with_name("bluewatt")


def seconds(*command: str) -> float:
    def run() -> None:
        done = subprocess.run(command, capture_output=True, check=False, stdin=subprocess.DEVNULL)
        if done.returncode:
            raise Unmeasurable(f"{' '.join(command[1:])}: {done.stderr.decode(errors='replace').strip()[-200:]}")

    return median_seconds(run)


@bench
def startup() -> Iterator[Row]:
    """`bluewatt --help` and the decoding of one advertisement, as a person types them."""
    nothing = seconds(sys.executable, "-c", "pass")
    beside = "python -c pass"
    yield Row(
        name="bluewatt --help", ours=seconds(str(COMMAND), "--help"), theirs=nothing, unit="s", rival=beside, goal=6
    )
    heard = battery_monitor(1)[0]
    once = seconds(str(COMMAND), "decode", heard.hex(), "--key", KEY.hex())
    yield Row(name="bluewatt decode HEX --key KEY", ours=once, theirs=nothing, unit="s", rival=beside, goal=10)
