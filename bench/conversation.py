"""A capture with VictronConnect sessions to JSON Lines, as whole commands, beside tshark with our own dissector."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bench import Row, Unmeasurable, bench, median_cost, talks

COMMAND = str(Path(sys.executable).with_name("bluewatt"))
RIVAL = "tshark with the dissector"
SESSIONS = 20
PUSHES = 2_500
RUNS = 3
GOAL = 0.5
"""Of their time: twice as fast."""
FIELDS = ("frame.time_epoch", "bthci_acl.chandle")


def write_sessions(path: Path) -> int:
    """A btsnoop file of sessions one after the other; how many packets it holds."""
    rows = [row for session in range(SESSIONS) for row in talks.packets(0x40 + session % 4, mtu=77, pushes=PUSHES)]
    path.write_bytes(talks.btsnoop(rows))
    return len(rows)


def dissector(folder: Path) -> Path:
    """The generated dissector; Unmeasurable where this build has none."""
    made = subprocess.run([COMMAND, "wireshark", "--print"], capture_output=True, check=False)
    if made.returncode or not made.stdout:
        raise Unmeasurable("bluewatt wireshark --print gave no dissector")
    path = folder / "bluewatt.lua"
    path.write_bytes(made.stdout)
    return path


@bench
def conversation() -> Iterator[Row]:
    """Seconds from a capture of sessions to lines, ours and theirs."""
    if shutil.which("tshark") is None:
        raise Unmeasurable("tshark is not installed")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        capture = folder / "sessions.btsnoop"
        count = write_sessions(capture)
        ours = median_cost(COMMAND, "decode", "--json", str(capture), runs=RUNS, warm_up=1)
        lua = f"lua_script:{dissector(folder)}"
        shown = [part for field in FIELDS for part in ("-e", field)]
        fields = median_cost("tshark", "-X", lua, "-r", str(capture), "-T", "fields", *shown, runs=RUNS, warm_up=1)
        yield Row(
            name=f"conversation: {count} packets to JSON Lines, beside two plain fields",
            ours=ours.seconds, theirs=fields.seconds, unit="s", rival=RIVAL, goal=GOAL,
        )  # fmt: skip
        lines = median_cost("tshark", "-X", lua, "-r", str(capture), "-T", "ek", runs=1, warm_up=0)
        yield Row(
            name=f"conversation: {count} packets to JSON Lines, beside -T ek",
            ours=ours.seconds, theirs=lines.seconds, unit="s", rival=RIVAL, goal=GOAL,
        )  # fmt: skip
        yield Row(name="conversation: memory", ours=ours.megabytes, unit="MB", goal=100)
