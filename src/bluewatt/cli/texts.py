"""`bluewatt decode HEX`: advertisements in pasted text, each opened alone, in words or as JSON."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Sequence

import click

from bluewatt.cli.explain import NOWHERE, Opened, explain, open_one
from bluewatt.cli.outputs import open_output
from bluewatt.cli.pasted import Pasted, bare_hex, find_pasted, hex_digits, lacks_a_digit
from bluewatt.cli.tally import why_nothing
from bluewatt.errors import Malformed
from bluewatt.model.reading import ADVERTISEMENT, Frame, Undecoded
from bluewatt.services.keys import NamedKey, ring_of

PASTED = "pasted"
"""The source of advertisements given as text."""


def decode_texts(
    texts: Sequence[str], named: Sequence[NamedKey], *, as_json: bool, output: str | None, force: bool = False
) -> None:
    """Open all advertisements in the texts; raises the reason when there was not one reading."""
    found = [pasted for text in texts for pasted in read_text(text)]
    opener = PastedOpener(named)
    opened = [opener.open(opener.frame(pasted)) for pasted in found]
    lines = _json(opened) if as_json else _explained(opened)
    if output:
        with open_output(output, force=force) as out:
            out.write("".join(f"{line}\n" for line in lines).encode())
    else:
        for line in lines:
            click.echo(line)
    undecoded = [one.outcome for one in opened if isinstance(one.outcome, Undecoded)]
    if len(undecoded) == len(opened):
        raise why_nothing(Counter(one.reason for one in undecoded), undecoded[0].detail)


def read_text(text: str) -> list[Pasted]:
    """The advertisements in a pasted text; Malformed where there is none."""
    if lacks_a_digit(text):
        raise Malformed(f"{len(hex_digits(text))} hex digits: one is missing")
    found = list(find_pasted(text.splitlines()))
    bare = bare_hex(text)
    if not found and bare is not None:
        return [Pasted(bare, None)]
    if not found:
        raise Malformed(f"no advertisement in {text[:40]!r}: it takes hex bytes that begin with 10, or E1 02 10")
    return found


class PastedOpener:
    """Opens advertisements found in text, each alone; where the text tells no address, every key is tried."""

    def __init__(self, named: Sequence[NamedKey]) -> None:
        self._by_address = ring_of(named)
        self._all_loose = ring_of([(None, key) for _, key in named])

    def frame(self, pasted: Pasted) -> Frame:
        """The frame of an advertisement found in text, heard now."""
        return Frame(time.time(), PASTED, ADVERTISEMENT, pasted.address or NOWHERE, pasted.payload)

    def open(self, frame: Frame) -> Opened:
        """What the advertisement is."""
        return open_one(frame, self._all_loose if frame.address == NOWHERE else self._by_address)


def _json(opened: Iterable[Opened]) -> list[str]:
    from bluewatt.model.jsonlines import json_line

    return [json_line(one.outcome).decode() for one in opened]


def _explained(opened: Sequence[Opened]) -> list[str]:
    lines: list[str] = []
    for one in opened:
        lines += ["", *explain(one)] if lines else explain(one)
        if isinstance(one.outcome, Undecoded) and len(opened) > 1:
            lines.append(f"Not decoded: {one.outcome.detail}")
    return lines
