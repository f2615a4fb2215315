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

RUNS = 3

WAYS: dict[str, tuple[tuple[str, ...], float | None]] = {
    "list": ((), 0.5),
    "fields": (("-T", "fields", "-e", "frame.number", "-e", "bthci_evt.bd_addr"), None),
    "details": (("-V",), None),
}
"""What tshark prints, and the goal. For fields and details tshark has every field made, so the price of the dissector
is that of the fifteen fields an advertisement has more: measured, not promised."""


def seconds(command: Sequence[str]) -> float:
    """Processor seconds of a command, the best of some runs: another program's load does not count."""
    best = float("inf")
    for _ in range(RUNS):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        best = min(best, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return best


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
            yield Row(
                name=f"tshark with the dissector: {name}", ours=COUNT / seconds((*plain, *ours)),
                theirs=COUNT / seconds(plain), rival="tshark without", unit="/s", goal=goal,
            )  # fmt: skip
