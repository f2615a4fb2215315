"""Each reason for which a device shows nothing, and each way in which the radio fails, is on the pages about them."""

from __future__ import annotations

from pathlib import Path

import pytest

from bluewatt.errors import KeyMismatch, KeyMissing, Malformed, UnknownType
from bluewatt.model.identity import Device
from bluewatt.model.reading import ADVERTISEMENT, Frame, Undecoded
from bluewatt.model.reasons import REASONS, reasons_text
from bluewatt.model.roster import CONNECTED_ELSEWHERE, Roster
from bluewatt.transports.ble.adapter_errors import adapter_unavailable
from bluewatt.wire.instant_readout.batch import Status

DOCS = Path(__file__).resolve().parents[2] / "docs"
WHY_NOTHING = " ".join((DOCS / "how-to/see-why-nothing.md").read_text("utf-8").split())
JSON = (DOCS / "reference/json.md").read_text("utf-8")
OF_ADVERTISEMENTS = [word for word, reason in REASONS.items() if reason.hint]
ADDRESS = "AA:BB:CC:DD:EE:FF"


def why_silent(reason: str, payload: bytes = b"") -> str:
    """What the list of devices says of a device whose only frame ended so."""
    frame = Frame(0.0, "test", ADVERTISEMENT, ADDRESS, payload)
    roster = Roster()
    roster.heard(frame)
    why = roster.update(Undecoded(Device(ADDRESS, ADDRESS), 0.0, frame, reason, "detail")).why(0.0)
    assert why not in (None, "detail"), f"the list of devices has no words for {reason}"
    return str(why)


def test_the_errors_of_decoders_are_reasons() -> None:
    raised = {cls.__name__ for cls in (KeyMissing, KeyMismatch, UnknownType, Malformed)}
    assert raised | {status.error.__name__ for status in Status if status.error} <= set(REASONS)


@pytest.mark.parametrize("word", REASONS)
def test_the_reason_is_on_the_page_of_json(word: str) -> None:
    assert f"\n| `{word}` | " in JSON


@pytest.mark.parametrize("word", OF_ADVERTISEMENTS)
def test_the_reason_is_on_the_page_of_remedies(word: str) -> None:
    assert f"| `{word}` |" in WHY_NOTHING
    assert f"| {why_silent(word).partition(':')[0]}" in WHY_NOTHING


def test_a_broadcast_has_the_words_of_its_network() -> None:
    broadcast = b"\x02" + bytes(14)
    assert why_silent("KeyMissing", broadcast) == REASONS["VeSmart"].hint
    assert why_silent("KeyMismatch", broadcast) == "wrong key for its VE.Smart network"
    assert why_silent("Malformed", broadcast) == REASONS["Malformed"].hint


@pytest.mark.parametrize("word", REASONS)
def test_no_sentence_names_a_class(word: str) -> None:
    for count in (1, 2):
        text = reasons_text({word: count})
        assert text.startswith(f"{count} {REASONS[word].noun}")
        assert word not in text


def test_the_most_frequent_reason_comes_first_and_a_noun_is_said_once() -> None:
    counts = {"NoRecord": 6, "KeyMissing": 51, "Unfinished": 1}
    assert reasons_text(counts) == (
        "51 advertisements need a key; 6 came from devices with Instant Readout off; 1 message was never ended"
    )
    assert reasons_text({}) == ""
    assert reasons_text({"New": 2}) == "2 items gave no values"


def test_silence_is_on_the_page() -> None:
    assert f"| {CONNECTED_ELSEWHERE} |" in WHY_NOTHING


@pytest.mark.parametrize("error", [PermissionError(), OSError()])
def test_the_error_of_the_adapter_is_on_the_page(error: OSError) -> None:
    assert f"| {str(adapter_unavailable(error)).partition(';')[0]} |" in WHY_NOTHING
