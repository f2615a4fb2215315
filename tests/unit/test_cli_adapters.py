"""`adapters`: what this computer has, in a table and as JSON; an exit code where it has nothing."""

from __future__ import annotations

import json

import pytest

from bluewatt.cli import main
from bluewatt.exports.terminal.adapters import adapter_state
from bluewatt.transports.ble.adapters import AdapterInfo

Captured = pytest.CaptureFixture[str]
FOUND = [
    AdapterInfo(
        name="hci0", address="00:1A:7D:DA:71:13", alias="van", powered=True, scanning=True,
        radios=("ble:hci0", "hci-socket:0"),
    ),
    AdapterInfo(name="hci1", radios=("hci-socket:1",), problem="another program is driving it"),
]  # fmt: skip


@pytest.fixture
def adapters(monkeypatch: pytest.MonkeyPatch) -> list[AdapterInfo]:
    found = list(FOUND)

    async def list_adapters() -> list[AdapterInfo]:
        return found

    monkeypatch.setattr("bluewatt.transports.ble.adapters.list_adapters", list_adapters)
    return found


def test_adapters_are_listed_with_their_state_and_what_names_them(
    adapters: list[AdapterInfo], capsys: Captured
) -> None:
    assert main(["adapters"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split() == ["hci0", "00:1A:7D:DA:71:13", "van", "on,", "scanning", "ble:hci0,", "hci-socket:0"]
    assert lines[-1] == "hci1: another program is driving it"
    assert main(["adapters", "--json"]) == 0
    first, second = map(json.loads, capsys.readouterr().out.splitlines())
    assert first == {
        "kind": "adapter", "name": "hci0", "address": "00:1A:7D:DA:71:13", "alias": "van", "powered": True,
        "scanning": True, "radios": ["ble:hci0", "hci-socket:0"], "problem": None,
    }  # fmt: skip
    assert second["problem"] == "another program is driving it"


def test_no_adapter_is_code_3(adapters: list[AdapterInfo], capsys: Captured) -> None:
    adapters.clear()
    assert main(["adapters"]) == 3
    shown = capsys.readouterr()
    assert "this computer has no Bluetooth adapter" in shown.err
    assert not shown.out


@pytest.mark.parametrize(
    ("facts", "text"),
    [({}, "not known"), ({"powered": False}, "off"), ({"powered": True}, "on"), ({"problem": "x"}, "cannot be used")],
)
def test_states(facts: dict[str, object], text: str) -> None:
    assert adapter_state(AdapterInfo(name="hci0", **facts)) == text  # type: ignore[arg-type]
