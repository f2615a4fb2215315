"""`bluewatt decode HEX`: what is pasted as text, in words or as JSON: advertisements, messages, lines of logs."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bluewatt.app.decoding.output import open_output
from bluewatt.app.decoding.summary import why_nothing
from bluewatt.errors import Malformed
from bluewatt.exports.explanation.advertisement import explain
from bluewatt.exports.terminal.notices import notice
from bluewatt.model.keys import KeyRing
from bluewatt.model.pasted_text import Pasted, bare_hex, hex_digits, is_advertisement, lacks_a_digit
from bluewatt.model.reading import ADVERTISEMENT, Frame, Undecoded
from bluewatt.model.single_advertisement import NOWHERE, OpenedAdvertisement, open_one
from bluewatt.services.keys import NamedKey, ring_of

if TYPE_CHECKING:
    from bluewatt.app.decoding.contents import DecodeKeys

PASTED = "pasted"
"""The source of what is given as text."""


@dataclass(frozen=True)
class Told:
    """One thing found in pasted text."""

    words: Callable[[], Iterator[str]]
    """It in words, line by line."""
    json: Callable[[], Sequence[bytes]]
    """It as JSON Lines."""
    reason: str = ""
    """Why it gave no values, a name; empty where it did."""
    detail: str = ""
    """The same in a sentence."""
    says_why: bool = False
    """Whether the words say it already."""


class PastedOpener:
    """Opens advertisements found in text, each alone; where the text tells no address, every key is tried."""

    def __init__(self, named: Sequence[NamedKey], keys: KeyRing | None = None) -> None:
        self._by_address = ring_of(named) if keys is None else keys
        self._all_loose = ring_of([(None, key) for _, key in named])

    def frame(self, pasted: Pasted, at: float | None = None) -> Frame:
        """The frame of an advertisement found in text, heard now where the text does not tell when."""
        moment = time.time() if at is None else at
        return Frame(moment, PASTED, ADVERTISEMENT, pasted.address or NOWHERE, pasted.payload)

    def open(self, frame: Frame) -> OpenedAdvertisement:
        """What the advertisement is."""
        return open_one(frame, self._all_loose if frame.address == NOWHERE else self._by_address)


def decode_texts(
    texts: Sequence[str], secrets: Callable[[], DecodeKeys], named: Sequence[NamedKey], *,
    characteristic: str = "", as_json: bool, output: str | None, force: bool = False,
) -> None:  # fmt: skip
    """Tell all that the texts hold; raises the reason when nothing of it could be read."""
    for text in texts:
        if lacks_a_digit(text):
            raise Malformed(f"{len(hex_digits(text))} hex digits: one is missing")
    plain = [_plain_advertisement(text) for text in texts]
    notes: list[str] = []
    if characteristic or None in plain:
        from bluewatt.app.decoding.pasted_messages import read_texts  # here: a plain advertisement is explained at once

        told, notes = read_texts(texts, secrets(), characteristic)
    else:
        opener = PastedOpener(named)
        told = [told_advertisement(opener.open(opener.frame(Pasted(data, None)))) for data in plain if data is not None]
    _write(_json(told) if as_json else _explained(told), output, force=force)
    for note in notes:
        notice(note)
    if all(one.reason for one in told):
        raise why_nothing(Counter(one.reason for one in told), told[0].detail)


def told_advertisement(opened: OpenedAdvertisement) -> Told:
    """An advertisement that was opened, as something to tell."""
    from bluewatt.model.json_objects import json_line

    outcome = opened.outcome
    missed = outcome if isinstance(outcome, Undecoded) else None
    return Told(
        lambda: explain(opened), lambda: (json_line(outcome),),
        missed.reason if missed else "", missed.detail if missed else "",
    )  # fmt: skip


def _plain_advertisement(text: str) -> bytes | None:
    """The manufacturer data when a text is that and nothing else; None for all that needs a closer look."""
    data = bare_hex(text)
    return data if data is not None and is_advertisement(data) else None


def _json(told: Sequence[Told]) -> list[str]:
    return [line.decode() for one in told for line in one.json()]


def _explained(told: Sequence[Told]) -> list[str]:
    lines: list[str] = []
    long_before = False
    for one in told:
        said = list(one.words())
        lines += ["", *said] if lines and (len(said) > 1 or long_before) else said
        long_before = len(said) > 1
        if one.reason and len(told) > 1 and not one.says_why:
            lines.append(f"Not decoded: {one.detail}")
    return lines


def _write(lines: Sequence[str], output: str | None, *, force: bool) -> None:
    if output:
        with open_output(output, force=force) as out:
            out.write("".join(f"{line}\n" for line in lines).encode())
    else:
        for line in lines:
            print(line)
