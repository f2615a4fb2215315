"""The numbers on the page about keys and trust are those of the program."""

from __future__ import annotations

from pathlib import Path

import pytest

from bluewatt.model import copies, device_memory, likeness, plausibility, receiver, screen, steadiness, verdict
from bluewatt.wire.containers import damage

PAGE = " ".join((Path(__file__).resolve().parents[2] / "docs/explanation/keys-and-trust.md").read_text("utf-8").split())


@pytest.mark.parametrize(
    "sentence",
    [
        f"within ±{verdict.BOUND:.0f} bits",
        f"the sum is below +{verdict.CERTAIN:.0f} bits",
        f"a chance of one in {2**verdict.CERTAIN:,.0f} to be wrong",
        f"or −{verdict.CERTAIN:.0f} bits with the last three contents all against it",
        f"The key check is worth {plausibility.KEY_CHECK_BITS:.0f} bits, once",
        f"A foreign key check costs {-verdict.MISMATCH_BITS:.0f} bits",
        f"likeness is worth up to {likeness.LIKE_BITS:.0f} bits",
        f"a minute, +{verdict.LIKELY:.0f} bits are enough",
        f"up to {device_memory.WAITING} samples wait",
        f"must be below −{-plausibility.SEVERAL_FAIL:.0f} bits",
        f"with {damage.REACH:,} bytes on either side",
        f"the last {receiver.KEPT_REJECTED} samples are kept",
    ],
)
def test_the_page_says(sentence: str) -> None:
    assert sentence in PAGE


def test_the_numbers_in_words() -> None:
    assert (verdict.SAME_CHECK_BYTE, verdict.AGAINST_IN_A_ROW) == (3, 3)
    assert "three advertisements in a row with the same foreign key check" in PAGE
    assert (screen.SET_BITS, 1 / plausibility.FAULTY) == (4, 50)
    assert "a mask seldom has more than four bits set" in PAGE
    assert "one genuine field in fifty" in PAGE
    assert (steadiness.JUMP_SECONDS, copies.NONCE_SECONDS) == (60, 60)
    assert "After a silence of a minute any value may be true" in PAGE
    assert "same address, same nonce, same bytes, within a minute" in PAGE
    assert plausibility.CHOICE_BITS == -1
    assert "less one bit for the choice" in PAGE
