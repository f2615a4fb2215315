"""tshark with our dissector beside tshark without it, on a capture of 200,000 advertisements; keys are known."""

from __future__ import annotations

import resource
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench import Row, Unmeasurable, bench
from bench.capture_reading import COUNT, write_capture
from bench.samples import KEY
from bluewatt.docgen.wireshark import dissector

RUNS = 5

WAYS: dict[str, tuple[tuple[str, ...], float]] = {
    "list": ((), 0.5),
    "fields": (("-T", "fields", "-e", "frame.number", "-e", "bthci_evt.bd_addr"), 0.4),
    "details": (("-V",), 0.5),
}
"""What tshark prints, and the goal. For fields and details tshark 4.0 has every field made, so the price of the
dissector is that of the fifteen fields an advertisement has more."""


def seconds(*commands: Sequence[str]) -> list[float]:
    """Processor seconds of each command, the best of some runs, in which they take turns."""
    rounds = [[_once(command) for command in commands] for _ in range(RUNS)]
    return [min(times) for times in zip(*rounds, strict=True)]


def _once(command: Sequence[str]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


@bench
def wireshark() -> Iterator[Row]:
    """Advertisements per processor second through tshark, with and without the dissector."""
    tshark = shutil.which("tshark")
    if tshark is None:
        raise Unmeasurable("tshark is not installed (apt-get install tshark)")
    with tempfile.TemporaryDirectory() as folder:
        capture, script = Path(folder) / "capture.btsnoop", Path(folder) / "bluewatt.lua"
        write_capture(capture)
        script.write_text(dissector(), "utf-8")
        ours = ("-X", f"lua_script:{script}", "-o", f"victron.keys:{KEY.hex()}")
        for name, (form, goal) in WAYS.items():
            plain = (tshark, "-n", "-r", str(capture), *form)
            with_it, without = seconds((*plain, *ours), plain)
            yield Row(
                name=f"tshark with the dissector: {name}", ours=COUNT / with_it,
                theirs=COUNT / without, rival="tshark without", unit="/s", goal=goal,
            )  # fmt: skip
