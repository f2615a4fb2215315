"""Each reason for which a device shows nothing, and each way in which the radio fails, is on the page about them."""

from __future__ import annotations

from pathlib import Path

import pytest

from bluewatt.errors import KeyMismatch, KeyMissing, Malformed, UnknownType
from bluewatt.model.identity import Device
from bluewatt.model.reading import ADVERTISEMENT, Frame, Undecoded
from bluewatt.model.receiver import NO_RECORD, REJECTED, UNPROVEN, VESMART
from bluewatt.model.roster import CONNECTED_ELSEWHERE, Roster
from bluewatt.transports.ble.adapter_errors import adapter_unavailable

PAGE = " ".join((Path(__file__).resolve().parents[2] / "docs/how-to/see-why-nothing.md").read_text("utf-8").split())
REASONS = [
    *(cls.__name__ for cls in (KeyMissing, KeyMismatch, UnknownType, Malformed)),
    NO_RECORD,
    UNPROVEN,
    REJECTED,
    VESMART,
]
ADDRESS = "AA:BB:CC:DD:EE:FF"


def told(reason: str) -> str:
    """What the list of devices says of a device whose only frame ended so."""
    frame = Frame(0.0, "test", ADVERTISEMENT, ADDRESS, b"")
    roster = Roster()
    roster.heard(frame)
    why = roster.told(Undecoded(Device(ADDRESS, ADDRESS), 0.0, frame, reason, "detail")).why(0.0)
    assert why not in (None, "detail"), f"the list of devices has no words for {reason}"
    return str(why)


@pytest.mark.parametrize("reason", REASONS)
def test_the_reason_is_on_the_page(reason: str) -> None:
    assert f"| `{reason}` |" in PAGE
    assert f"| {told(reason).partition(':')[0]}" in PAGE


def test_silence_is_on_the_page() -> None:
    assert f"| {CONNECTED_ELSEWHERE} |" in PAGE


@pytest.mark.parametrize("error", [PermissionError(), OSError()])
def test_the_error_of_the_adapter_is_on_the_page(error: OSError) -> None:
    assert f"| {str(adapter_unavailable(error)).partition(';')[0]} |" in PAGE
