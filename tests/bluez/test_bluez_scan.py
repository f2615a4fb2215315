"""The source `ble:` against real BlueZ on a real kernel, with the virtual radio as its adapter."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import pytest

Lab = Any  # the fixture of conftest.py, which tests cannot import

pytestmark = pytest.mark.bluez

DEVICES = 10
GUEST = "/project/tests/bluez/guest"
SITE = f"python3 {GUEST}/site.py vhci {DEVICES}"


def hear(seconds: int) -> str:
    return f"python3 {GUEST}/hear.py {seconds}"


def check_frames(frames: list[dict[str, Any]]) -> None:
    """Every device was heard with its own bytes and signal strength, no nonce between its first and last missing."""
    nonces: dict[int, list[int]] = defaultdict(list)
    for frame in frames:
        payload = bytes.fromhex(frame["payload"])
        assert frame["address"] == f"C2:00:00:00:00:{payload[2]:02X}"
        assert frame["rssi"] == -40 - payload[2]
        nonces[payload[2]].append(int.from_bytes(payload[3:5], "little"))
    assert sorted(nonces) == list(range(DEVICES))
    for heard in nonces.values():
        assert sorted(set(heard)) == list(range(heard[0], heard[-1] + 1))
        assert len(set(heard)) >= 4


def test_an_active_scan_hears_every_device_by_name(lab: Lab) -> None:
    run = lab.run("scan", site=SITE, scan=hear(6))
    *frames, told = run.lines("scan.jsonl")
    assert run.status == 0
    check_frames(frames)
    assert {(frame["address"], frame["name"]) for frame in frames if frame["name"]} == {
        (f"C2:00:00:00:00:{number:02X}", f"Device {number}") for number in range(DEVICES)
    }
    assert told["mode"] == "active"
    assert "passive" in told["mode_reason"]


def test_a_passive_scan_is_preferred_where_bluez_offers_it(lab: Lab) -> None:
    run = lab.run("scan", site=SITE, scan=hear(6), bluez_args="--experimental")
    *frames, told = run.lines("scan.jsonl")
    assert run.status == 0
    check_frames(frames)
    assert told["mode"] == "passive"
    assert told["rebuilds"] == 0


def test_a_crashed_bluetooth_service_is_survived(lab: Lab) -> None:
    run = lab.run("restart", site=SITE, scan=hear(20))
    *frames, told = run.lines("scan.jsonl")
    assert run.status == 0
    back = run.moment("restarted")
    assert {frame["address"] for frame in frames if frame["at"] < run.moment("killed")}
    after = [frame for frame in frames if frame["at"] > back]
    assert len({frame["address"] for frame in after}) == DEVICES
    assert min(frame["at"] for frame in after) < back + 12, "longer than the kernel keeps the dead service's discovery"
    assert told["rebuilds"] >= 1


def test_an_adapter_switched_off_and_on_is_survived_and_one_that_is_off_is_told(lab: Lab) -> None:
    run = lab.run("switched_off", site=SITE, scan=hear(10))
    *frames, told = run.lines("scan.jsonl")
    assert run.status == 0
    after = [frame["at"] for frame in frames if frame["at"] > run.moment("on")]
    assert min(after) < run.moment("on") + 4
    assert told["rebuilds"] >= 1
    assert run.text("refused").split() == ["3", "3"]
    assert run.lines("off.jsonl")[0]["reason"] == "off"
    missing = run.lines("missing.jsonl")[0]
    assert missing["reason"] == "missing"
    assert "hci7" in missing["message"]


def test_an_adapter_that_is_gone_ends_the_scan_with_a_sentence(lab: Lab) -> None:
    run = lab.run("unplugged", site=SITE, scan=hear(40))
    assert run.status == 3
    last = run.lines("scan.jsonl")[-1]
    assert (last["error"], last["reason"]) == ("AdapterUnavailable", "missing")
    assert "Traceback" not in run.text("scan.err")
