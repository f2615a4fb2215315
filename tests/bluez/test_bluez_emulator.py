"""Emulated devices as real BlueZ sees them: found, paired by their PIN, and read to the last register."""

from __future__ import annotations

from typing import Any

import pytest

from bluewatt.app.emulation import EmulatedDeviceConfig, Emulator

pytestmark = pytest.mark.bluez

Lab = Any  # the fixture of conftest.py, which tests cannot import
BLUEWATT = "python3 /project/tests/bluez/guest/command.py"
PIN = "004711"
SEED = 5


def emulated(family: str) -> str:
    return f"{BLUEWATT} emulate {family} --radio vhci --seed {SEED} --pin {PIN} --forget"


@pytest.mark.parametrize("family", ["smartshunt", "ip22"])
def test_bluez_pairs_and_reads_all_registers(lab: Lab, family: str) -> None:
    emulator = Emulator([EmulatedDeviceConfig(family=family)], seed=SEED)
    device = emulator.devices[0]
    run = lab.run("scan", site=emulated(family), scan=f"{BLUEWATT} read --nearest --pin {PIN} --json --all")
    assert run.status == 0, run.text("scan.err")
    told = run.lines("scan.jsonl")
    assert {line["device"]["address"] for line in told} == {device.address}
    assert {line["device"]["name"] for line in told} == {device.name}
    readable = {number for instance, number in device.registers if device.registers.cell(instance, number).read}
    read = {int(line["register"], 16) for line in told if line["message"] == "value"}
    # The key opens something, so the command leaves it to `bluewatt key`.
    assert readable - read <= {0xEC65}
    assert read <= readable


def test_bluez_with_a_wrong_pin_is_refused(lab: Lab) -> None:
    run = lab.run("scan", site=emulated("phoenix"), scan=f"{BLUEWATT} read --nearest --pin 004712 --json")
    assert run.status != 0
    assert not run.text("scan.jsonl")
    assert "PIN" in run.text("scan.err")
    assert "Traceback" not in run.text("scan.err")
