"""The commands against real BlueZ: a simulated site served over /dev/vhci, scanned and decoded through `ble:`."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import Any

import pytest

from bluewatt.model.json_objects import json_line
from bluewatt.model.keys import KeyRing
from bluewatt.model.receiver import Receiver
from bluewatt.services.simulator import Site, frames

pytestmark = pytest.mark.bluez

Lab = Any  # the fixture of conftest.py, which tests cannot import
BLUEWATT = "python3 /project/tests/bluez/guest/command.py"
SEED = 3
SECONDS = 12
LATEST = 90
"""Seconds of the site's time after which the scan is surely over."""


def possible_values(site: Site) -> dict[str, list[dict[str, Any]]]:
    """Whatever the devices of the site may say in its first minute and a half, by address."""
    receiver = Receiver(KeyRing({device.address: device.key for device in site.devices}))
    possible: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for frame in frames(site, site.now, LATEST):
        for outcome in receiver.feed(frame):
            told = json.loads(json_line(outcome))
            if "values" in told and told["values"] not in possible[frame.address]:
                possible[frame.address].append(told["values"])
    return possible


@pytest.mark.parametrize("bluez_args", ["", "--experimental"], ids=["active", "passive"])
def test_a_scan_through_bluez_reads_the_simulated_records(lab: Lab, bluez_args: str) -> None:
    run = lab.run(
        "simulated_site",
        site=f"{BLUEWATT} demo --seed {SEED} --serve vhci",
        scan=f"{BLUEWATT} scan --json --seconds {SECONDS}",
        bluez_args=bluez_args,
    )
    assert run.status == 0, run.text("scan.err")
    told = run.lines("scan.jsonl")
    site = Site(seed=SEED)
    possible = possible_values(site)
    assert {line["device"]["address"] for line in told} == {device.address for device in site.devices}
    readings = [line for line in told if line["kind"] == "advertisement"]
    assert {line["device"]["address"] for line in readings} == set(possible)
    assert len(readings) > 3 * len(possible)
    for line in readings:
        assert line["source"] == "ble:"
        assert line["values"] in possible[line["device"]["address"]]
    if not bluez_args:
        names = {device.address: device.name for device in site.devices}
        assert {line["device"]["address"]: line["device"]["name"] for line in told} == names


def test_a_scan_of_a_missing_adapter_is_one_sentence_and_exit_code_3(lab: Lab) -> None:
    run = lab.run(
        "simulated_site", site=f"{BLUEWATT} demo --serve vhci", scan=f"{BLUEWATT} scan --json --seconds 3 ble:hci7"
    )
    assert run.status == 3
    assert run.text("scan.jsonl") == ""
    (sentence,) = run.text("scan.err").splitlines()
    assert "hci7" in sentence
