"""The list of adapters against real BlueZ: an adapter that is on and busy."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = pytest.mark.bluez

Lab = Any  # the fixture of conftest.py, which tests cannot import
GUEST = "/project/tests/bluez/guest"
SERVED_ADDRESS = "00:00:02:00:00:01"


def test_the_adapter_of_the_guest_is_listed_as_bluez_has_it(lab: Lab) -> None:
    run = lab.run("scan", site=f"python3 {GUEST}/site.py vhci 1", scan=f"python3 {GUEST}/adapters.py")
    assert run.status == 0, run.text("scan.err")
    (adapter,) = run.lines("scan.jsonl")
    assert (adapter["name"], adapter["address"]) == ("hci0", SERVED_ADDRESS)
    assert (adapter["powered"], adapter["problem"]) == (True, None)
    assert adapter["radios"] == ["ble:hci0", "hci-socket:0"]
