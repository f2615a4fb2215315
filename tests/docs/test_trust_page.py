"""The numbers on the page about keys and trust are those of the program."""

from __future__ import annotations

from pathlib import Path

import pytest

from bluewatt.model import receiver
from bluewatt.model.trust import device_memory, doubt, duplicates, evidence, jumps, key_verdict, likeness
from bluewatt.wire.containers import damage

PAGE = " ".join((Path(__file__).resolve().parents[2] / "docs/explanation/keys-and-trust.md").read_text("utf-8").split())


@pytest.mark.parametrize(
    "sentence",
    [
        f"within ±{key_verdict.BOUND:.0f} bits",
        f"the sum is below +{key_verdict.CERTAIN:.0f} bits",
        f"a chance of one in {2**key_verdict.CERTAIN:,.0f} to be wrong",
        f"or −{key_verdict.CERTAIN:.0f} bits with the last three contents all against it",
        f"The key check is worth {evidence.KEY_CHECK_BITS:.0f} bits, once",
        f"A foreign key check costs {-key_verdict.MISMATCH_BITS:.0f} bits",
        f"likeness is worth up to {likeness.LIKE_BITS:.0f} bits",
        f"a minute, +{key_verdict.LIKELY:.0f} bits are enough",
        f"up to {device_memory.WAITING} samples wait",
        f"must be below −{-evidence.SEVERAL_FAIL:.0f} bits",
        f"with {damage.REACH:,} bytes on either side",
        f"the last {receiver.KEPT_REJECTED} samples are kept",
    ],
)
def test_the_page_says(sentence: str) -> None:
    assert sentence in PAGE


def test_the_numbers_in_words() -> None:
    assert (key_verdict.SAME_CHECK_BYTE, key_verdict.AGAINST_IN_A_ROW) == (3, 3)
    assert "three advertisements in a row with the same foreign key check" in PAGE
    assert (doubt.SET_BITS, 1 / evidence.FAULTY) == (4, 50)
    assert "a mask seldom has more than four bits set" in PAGE
    assert "one genuine field in fifty" in PAGE
    assert (jumps.JUMP_SECONDS, duplicates.NONCE_SECONDS) == (60, 60)
    assert "After a silence of a minute any value may be true" in PAGE
    assert "same address, same nonce, same bytes, within a minute" in PAGE
    assert evidence.CHOICE_BITS == -1
    assert "less one bit for the choice" in PAGE
