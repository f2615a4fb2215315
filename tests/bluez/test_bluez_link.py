"""Connections through real BlueZ to a device on the virtual radio: paired once, bonded after, no notification lost."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = pytest.mark.bluez

Lab = Any  # the fixture of conftest.py, which tests cannot import
GUEST = "/project/tests/bluez/guest"
PIN = "014916"


def test_connect_pair_and_come_back_with_the_bond(lab: Lab) -> None:
    run = lab.run(
        "scan", site=f"python3 {GUEST}/peripheral.py vhci {PIN}", scan=f"timeout 40 python3 {GUEST}/connect.py {PIN}"
    )
    assert run.status == 0, run.text("scan.err")
    rounds = run.lines("scan.jsonl")
    assert len(rounds) == 2
    for told in rounds:
        assert (told["open"], told["secret"]) == ("open", "secret")
        assert told["connect_s"] < 5
        counted = told["counted"]
        assert len(counted) > 10
        assert counted == list(range(counted[0], counted[-1] + 1))
    assert [told["asked"] for told in rounds] == [1, 1], "the bond of the first round serves the second"


def test_a_wrong_pin_is_refused(lab: Lab) -> None:
    run = lab.run(
        "scan", site=f"python3 {GUEST}/peripheral.py vhci {PIN}", scan=f"timeout 40 python3 {GUEST}/connect.py 014917"
    )
    assert run.status != 0
    assert run.text("scan.jsonl") == ""
    assert "AuthenticationFailed" in run.text("scan.err")
