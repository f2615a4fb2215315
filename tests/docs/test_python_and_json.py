"""The public names of the package, and the fields of JSON Lines, stand on their pages."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import bluewatt
from bluewatt.model.identity import Device
from bluewatt.model.json_objects import json_line
from bluewatt.model.reading import ADVERTISEMENT, Frame, Reading, Undecoded
from bluewatt.model.register_values import explain_register
from bluewatt.tables.records.battery_monitor import BatteryMonitor
from bluewatt.transports.capture.recording import FrameRecorder

REFERENCE = Path(__file__).resolve().parents[2] / "docs" / "reference"
PYTHON, JSON = ((REFERENCE / name).read_text("utf-8") for name in ("python.md", "json.md"))
ADDRESS = "AA:BB:CC:DD:EE:FF"
DEVICE = Device(ADDRESS, ADDRESS, "Shunt", 0xA389)
FRAME = Frame(0.0, "test", ADVERTISEMENT, ADDRESS, b"\x10", -60, "Shunt")


def in_code(text: str) -> set[str]:
    """The words in code on a page."""
    return {word for span in re.findall(r"`([^`\n]+)`", text) for word in re.findall(r"\w+", span)}


@pytest.mark.parametrize("name", bluewatt.__all__)
def test_every_public_name_is_on_the_page(name: str) -> None:
    assert name in in_code(PYTHON)


def fields(value: Any, *, below: bool = True) -> Iterator[str]:
    """The names of an object; those of `values` and `rejected` are metrics."""
    if isinstance(value, list):
        for item in value:
            yield from fields(item)
    if isinstance(value, dict) and below:
        for name, inner in value.items():
            yield name
            yield from fields(inner, below=name not in ("values", "rejected", "value"))


def samples() -> dict[str, dict[str, Any]]:
    reading = Reading(DEVICE, 0.0, FRAME, BatteryMonitor(), {"battery_voltage": 327.0})
    undecoded = Undecoded(DEVICE, 0.0, FRAME, "KeyMissing", "no key", 0x02)
    return {
        "reading": json.loads(json_line(reading)),
        "undecoded": json.loads(json_line(undecoded)),
        "register": explain_register(0xED8D, b"\x2f\x05", "smartshunt", instance=3).as_json(),
        "misfit": explain_register(0xED8D, b"\x2f", "smartshunt", instance=3).as_json(),
    }


@pytest.mark.parametrize(("kind", "sample"), samples().items())
def test_every_field_is_on_the_page(kind: str, sample: dict[str, Any]) -> None:
    found = set(fields(sample))
    assert len(found) > 4
    assert found - in_code(JSON) == set()


def test_every_field_of_a_recording_is_on_the_page(tmp_path: Path) -> None:
    path = tmp_path / "recording.jsonl"
    with FrameRecorder.open(path) as recorder:
        recorder.write(FRAME)
    assert set(json.loads(path.read_text("utf-8"))) - in_code(JSON) == set()


def test_every_field_of_a_conversation_is_on_the_page(shared: Path) -> None:
    (capture,) = (shared / "captures").glob("*.btsnoop")
    command = [str(Path(sys.executable).with_name("bluewatt")), "decode", "--json", str(capture)]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(lines) > 1000
    known = in_code(JSON)
    assert {line["kind"] for line in lines} - known == set()
    assert {field for line in lines for field in fields(line)} - known == set()
