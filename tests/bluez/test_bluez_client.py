"""The commands that connect, against real BlueZ and a real kernel, with our emulator as the device."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.bluez

Lab = Any  # the fixture of conftest.py, which tests cannot import
PIN = "004711"
EMULATED = (
    "python3 /project/tests/bluez/guest/command.py emulate mppt phoenix --radio vhci"
    f" --pin {PIN} --seed 5 --forget"
)  # fmt: skip


class Steps:
    """What each step of the scenario said and how it ended."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def code(self, step: str) -> int:
        return int((self.folder / f"{step}.rc").read_text())

    def out(self, step: str) -> str:
        return (self.folder / f"{step}.out").read_text()

    def err(self, step: str) -> str:
        return (self.folder / f"{step}.err").read_text()

    def lines(self, step: str) -> list[dict[str, Any]]:
        assert self.code(step) == 0, self.err(step)
        return [json.loads(line) for line in self.out(step).splitlines()]

    def ended(self, step: str, code: int, said: str) -> None:
        assert self.code(step) == code, self.err(step)
        assert said in self.err(step)
        assert "Traceback" not in self.err(step)
        assert PIN not in self.err(step) + self.out(step)


def test_the_commands_of_the_client(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BLUEZ_TIMEOUT", "220")
    run = lab.run("client", site=EMULATED, scan="")
    steps = Steps(run.folder)
    assert {line["device"]["name"].split()[0] for line in steps.lines("scan")} == {"SmartSolar", "Phoenix"}

    steps.ended("no_pin", 5, "must be paired first: give its PIN with --pin")
    steps.ended("wrong_pin", 5, "refused the PIN")
    (voltage,) = steps.lines("pair")
    assert (voltage["key"], voltage["unit"]) == ("battery_voltage", "V")
    assert 11 < voltage["value"] < 15
    assert len(steps.lines("bonded")) > 40
    assert steps.code("key") == 0, steps.err("key")
    assert "the key is new" in steps.out("key")
    assert [line["kind"] for line in steps.lines("history")] == ["history_total"] + ["history_day"] * 31
    assert steps.code("mode") == 0, steps.err("mode")
    assert "Inverter only → Eco" in steps.out("mode")
    assert "Eco → Inverter only" in steps.out("undo")
    steps.ended("away", 3, "was not heard within 2 s")

    steps.ended("restarted", 3, "disconnected in the middle")
    assert steps.lines("afterwards")[0]["key"] == "battery_voltage"
    steps.ended("removed", 3, "disconnected in the middle")
    steps.ended("nothing", 3, "there is no Bluetooth adapter")

    steps.ended("lost_bond", 3, "no longer knows this computer")
    assert steps.lines("mended")[0]["key"] == "battery_voltage"
    assert steps.lines("bonded_again")[0]["key"] == "battery_voltage"
