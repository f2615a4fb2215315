"""`bluewatt decode HEX`: pasted advertisements, messages and lines of logs, in words or as JSON."""

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
"""The source string of what is given as text."""


@dataclass(frozen=True)
class DecodedText:
    """One thing decoded from pasted text."""

    explanation: Callable[[], Iterator[str]]
    """The thing in words, line by line."""
    json: Callable[[], Sequence[bytes]]
    """The thing as JSON Lines."""
    reason: str = ""
    """Why it gave no values, a word of JSON's `reason`; empty if it gave some."""
    detail: str = ""
    """The same in a sentence."""
    explains_why: bool = False
    """Whether the explanation has that sentence already."""


class PastedOpener:
    """Opens advertisements found in text, each by itself; if the text has no address, every key is tried."""

    def __init__(self, named: Sequence[NamedKey], keys: KeyRing | None = None) -> None:
        self._by_address = ring_of(named) if keys is None else keys
        self._all_loose = ring_of([(None, key) for _, key in named])

    def frame(self, pasted: Pasted, at: float | None = None) -> Frame:
        """Return the frame of an advertisement found in text, received now if the text does not say when."""
        moment = time.time() if at is None else at
        return Frame(moment, PASTED, ADVERTISEMENT, pasted.address or NOWHERE, pasted.payload)

    def open(self, frame: Frame) -> OpenedAdvertisement:
        """Open an advertisement with the keys of its address."""
        return open_one(frame, self._all_loose if frame.address == NOWHERE else self._by_address)


def decode_texts(
    texts: Sequence[str], secrets: Callable[[], DecodeKeys], named: Sequence[NamedKey], *,
    characteristic: str = "", as_json: bool, output: str | None, force: bool = False,
) -> None:  # fmt: skip
    """Print all that the texts hold, or write it to `output`; raises the reason if none of it could be read."""
    for text in texts:
        if lacks_a_digit(text):
            raise Malformed(f"{len(hex_digits(text))} hex digits: one is missing")
    plain = [_plain_advertisement(text) for text in texts]
    notes: list[str] = []
    if characteristic or None in plain:
        from bluewatt.app.decoding.pasted_messages import read_texts  # here: a plain advertisement is explained at once

        found, notes = read_texts(texts, secrets(), characteristic)
    else:
        opener = PastedOpener(named)
        frames = [opener.frame(Pasted(data, None)) for data in plain if data is not None]
        found = [decoded_advertisement(opener.open(frame)) for frame in frames]
    _write(_json(found) if as_json else _explained(found), output, force=force)
    for note in notes:
        notice(note)
    if all(one.reason for one in found):
        raise why_nothing(Counter(one.reason for one in found), found[0].detail)


def decoded_advertisement(opened: OpenedAdvertisement) -> DecodedText:
    """Return an opened advertisement in words and as JSON."""
    from bluewatt.model.json_objects import json_line

    outcome = opened.outcome
    missed = outcome if isinstance(outcome, Undecoded) else None
    return DecodedText(
        lambda: explain(opened), lambda: (json_line(outcome),),
        missed.reason if missed else "", missed.detail if missed else "",
    )  # fmt: skip


def _plain_advertisement(text: str) -> bytes | None:
    """Return the manufacturer data if a text is that and nothing else; None if it needs a closer look."""
    data = bare_hex(text)
    return data if data is not None and is_advertisement(data) else None


def _json(found: Sequence[DecodedText]) -> list[str]:
    return [line.decode() for one in found for line in one.json()]


def _explained(found: Sequence[DecodedText]) -> list[str]:
    """Return the explanations as lines, an empty one around each that has several."""
    lines: list[str] = []
    long_before = False
    for one in found:
        explanation = list(one.explanation())
        lines += ["", *explanation] if lines and (len(explanation) > 1 or long_before) else explanation
        long_before = len(explanation) > 1
        if one.reason and len(found) > 1 and not one.explains_why:
            lines.append(f"Not decoded: {one.detail}")
    return lines


def _write(lines: Sequence[str], output: str | None, *, force: bool) -> None:
    if output:
        with open_output(output, force=force) as out:
            out.write("".join(f"{line}\n" for line in lines).encode())
    else:
        for line in lines:
            print(line)
