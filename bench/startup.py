"""How long the command takes before it does anything, beside an interpreter that does nothing."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from bench import Row, bench, median_cost
from bench.samples import KEY, battery_monitor

COMMAND = Path(sys.executable).with_name("bluewatt")


@bench
def startup() -> Iterator[Row]:
    """`bluewatt --help` and the decoding of one advertisement, as a person types them."""
    nothing = median_cost(sys.executable, "-c", "pass").seconds
    heard = battery_monitor(1)[0].hex()
    lines = {
        "import bluewatt": ([sys.executable, "-c", "import bluewatt"], None),
        "bluewatt --help": ([str(COMMAND), "--help"], 6),
        "bluewatt decode HEX --key KEY": ([str(COMMAND), "decode", heard, "--key", KEY.hex()], 10),
    }
    for name, (command, goal) in lines.items():
        ours = median_cost(*command).seconds
        yield Row(name=name, ours=ours, theirs=nothing, unit="s", rival="python -c pass", goal=goal)
