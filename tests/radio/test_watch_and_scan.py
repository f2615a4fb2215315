"""`bluewatt watch` and `bluewatt scan` on the virtual radio and on recordings."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bluewatt.services.simulator import Site, frames
from tests.making.keys import write_keys_of
from tests.making.recordings import write_recording

ROOT = Path(__file__).resolve().parents[2]
TIMELESS = (sys.executable, "-m", "tests.virtual_time")
"""The command in a process of its own, where time is that of `tests/virtual_time.py`."""


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*TIMELESS, *arguments], capture_output=True, text=True, check=False, cwd=ROOT)


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    site = Site(1, devices=4)
    path = tmp_path_factory.mktemp("air") / "site.jsonl"
    write_keys_of(site, path.with_suffix(".toml"))
    return write_recording(path, frames(site, site.now, 5))


def test_scan_of_the_virtual_radio_lists_and_tells_the_mode() -> None:
    done = run("scan", "virtual:?devices=5", "--seconds", "2")
    assert (done.returncode, done.stderr) == (0, "")
    assert all(device.name[:18] in done.stdout for device in Site(1, devices=5).devices)
    assert "active scan" in done.stdout


def test_scan_of_a_recording_with_and_without_keys(recording: Path) -> None:
    keys = str(recording.with_suffix(".toml"))
    opened, closed = run("scan", f"capture:{recording}", "--keys", keys), run("scan", f"capture:{recording}")
    assert (opened.returncode, closed.returncode) == (0, 0)
    assert opened.stdout.count(" V") >= 4
    assert "no key" not in opened.stdout
    assert closed.stdout.count("no key") == 4


def test_watching_one_device_by_name_or_address(recording: Path) -> None:
    keys = str(recording.with_suffix(".toml"))
    roof = next(device for device in Site(1, devices=4).devices if "roof" in device.name)
    for wanted in ("ROOF", roof.address, roof.address.lower().replace(":", "-")):
        done = run("watch", f"capture:{recording}", wanted, "--keys", keys, "--json")
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        assert done.returncode == 0
        assert lines
        assert {line["device"]["address"] for line in lines} == {roof.address}
    lines = run("watch", f"capture:{recording}", "roof", "--keys", keys).stdout.splitlines()
    assert lines
    assert all("SmartSolar roof" in line and "Battery voltage" in line and " V" in line for line in lines)


def test_replay_takes_its_time(recording: Path) -> None:
    done = run("scan", f"capture:{recording}?speed=1", "--seconds", "1.5", "--json")
    heard = [json.loads(line)["at"] for line in done.stdout.splitlines()]
    assert done.returncode == 0
    assert heard
    assert max(heard) < "2026-06-21T09:00:02"


def test_a_source_without_victron_devices_is_told(tmp_path: Path) -> None:
    empty = tmp_path / "empty.btsnoop"
    empty.write_bytes(b"btsnoop\0" + bytes((0, 0, 0, 1, 0, 0, 3, 234)))
    done = run("scan", f"capture:{empty}")
    assert done.returncode == 7
    assert done.stderr == f"bluewatt: {empty}: no advertisement of a Victron device in it\n"


def test_a_missing_capture_is_code_7() -> None:
    done = run("watch", "capture:nowhere.btsnoop")
    assert done.returncode == 7
    assert done.stderr.count("\n") == 1


def test_watching_a_device_that_is_not_there_says_so(recording: Path) -> None:
    done = run("watch", f"capture:{recording}", "nobody")
    assert done.returncode == 3
    assert done.stderr == "bluewatt: nobody was not heard, but 4 other devices: `bluewatt scan` lists them\n"
