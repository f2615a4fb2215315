"""`bluewatt decode`: one advertisement in words, or all of a capture as a table, JSON Lines, CSV or Parquet."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bluewatt.cli.explain import NOWHERE, Opened, explain, open_one
from bluewatt.cli.options import json_option, keys_options
from bluewatt.cli.pasted import Pasted, bare_hex, find_pasted
from bluewatt.errors import CaptureError, KeyMismatch, KeyMissing, KeyProblem, Malformed, WireError
from bluewatt.model.reading import ADVERTISEMENT, Frame, Undecoded
from bluewatt.services.keys import NamedKey, named_keys, ring_of

if TYPE_CHECKING:
    from bluewatt.cli.steps import Secrets

PASTED = "pasted"
"""The source of advertisements given as text."""

_LONGEST_NAME = 256
_KEY_REASONS = {KeyMissing.__name__, KeyMismatch.__name__, "KeyUnproven"}


@click.command("decode")
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...")
@keys_options
@json_option("The same as --format json.")
@click.option(
    "--format", "form", type=click.Choice(["table", "json", "csv", "parquet"]), default="table", show_default=True,
    help="What to write of captures and logs: the devices in a table, a JSON object per reading, a CSV line per value, "
    "or a Parquet row per advertisement.",
)  # fmt: skip
@click.option(
    "--output", "-o", type=click.Path(dir_okay=False), metavar="FILE",
    help="Write there. [default: standard output; Parquet needs a file]",
)  # fmt: skip
@click.option("--explain", "number", type=click.IntRange(min=1), metavar="N", help="Explain message N byte by byte.")
@click.option(
    "--redact", type=click.Path(dir_okay=False), metavar="OUTPUT",
    help="Write a copy of a capture that is safe to share: addresses, serial numbers, names, keys and PINs replaced.",
)  # fmt: skip
@click.option(
    "--report", type=click.Path(dir_okay=False), metavar="OUTPUT",
    help="Write an HTML report: devices, timeline, charts, and the registers nobody knows.",
)  # fmt: skip
@click.option("--reveal", is_flag=True, help="Show keys and PINs that are in the capture. [default: hidden]")
@click.option("--follow", is_flag=True, help="Wait for more at the end of a file that grows, until Ctrl-C.")
def command(
    inputs: tuple[str, ...],
    keys: tuple[str, ...],
    keys_file: str | None,
    as_json: bool,
    form: str,
    output: str | None,
    number: int | None,
    redact: str | None,
    report: str | None,
    reveal: bool,
    follow: bool,
) -> None:
    """Explain an advertisement, or decode everything in a capture.

    INPUT is an advertisement in hex digits (manufacturer data, with or without the company identifier E1 02), a line
    copied from bluetoothctl, btmon, nRF Connect, bleak, ESPHome and others, or a file: btsnoop, pcap, pcapng (also
    gzipped), a recording of --record, or another tool's log. "-" is standard input.
    """
    form = "json" if as_json else form
    named = named_keys(keys, keys_file)
    texts = [text for text in _words(inputs) if not _is_file(text)]
    files = [text for text in inputs if _is_file(text)]
    if texts and form in ("table", "json"):
        _decode_texts(texts, named, as_json=form == "json", output=output)
    elif texts:
        raise click.UsageError(f"--format {form} is for files; {texts[0]!r} is none")
    if files:
        from bluewatt.cli.steps import Secrets
        from bluewatt.services.keys import gather_networks

        secrets = Secrets(named, gather_networks(keys_file), reveal)
        _decode_files(files, secrets, form, output, number=number, redact=redact, report=report, follow=follow)


def _decode_files(
    files: list[str],
    secrets: Secrets,
    form: str,
    output: str | None,
    *,
    number: int | None,
    redact: str | None,
    report: str | None,
    follow: bool,
) -> None:
    """What is wanted of files: one message explained, a copy to share, a report, or all of it in some form."""
    if (number is not None or redact or report) and len(files) > 1:
        raise click.UsageError("--explain, --redact and --report take one file")
    if redact:
        from bluewatt.cli.redact import redact_file

        redact_file(files[0], secrets, redact)
    elif number is not None:
        from bluewatt.cli.captures import explain_number

        explain_number(files[0], secrets, number)
    elif report:
        from bluewatt.cli.captures import write_report

        write_report(files[0], secrets, report)
    else:
        from bluewatt.cli.captures import decode_files

        decode_files(files, secrets, form, output, follow=follow)


def _is_file(text: str) -> bool:
    """Whether an input names a file rather than being an advertisement; a name that is not there still is a name."""
    looks_like_text = bare_hex(text) is not None or any(character in text for character in " :'\n")
    return text == "-" or not looks_like_text or (len(text) < _LONGEST_NAME and Path(text).exists())


def _words(inputs: Sequence[str]) -> Sequence[str]:
    """The inputs; bytes given as separate words (nobody quoted them) are one input."""
    if len(inputs) > 1 and all(re.fullmatch(r"(?:0x)?[0-9a-fA-F]{2},?", word) for word in inputs):
        return [" ".join(inputs)]
    return inputs


def _decode_texts(texts: Sequence[str], named: Sequence[NamedKey], *, as_json: bool, output: str | None) -> None:
    found = [pasted for text in texts for pasted in read_text(text)]
    opener = PastedOpener(named)
    opened = [opener.open(opener.frame(pasted)) for pasted in found]
    lines = _json(opened) if as_json else _explained(opened)
    if output:
        Path(output).write_text("".join(f"{line}\n" for line in lines), "utf-8")
    else:
        for line in lines:
            click.echo(line)
    undecoded = [one.outcome for one in opened if isinstance(one.outcome, Undecoded)]
    if len(undecoded) == len(opened):
        raise why_nothing(Counter(one.reason for one in undecoded), undecoded[0].detail)


def read_text(text: str) -> list[Pasted]:
    """The advertisements in a pasted text; Malformed where there is none."""
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


def why_nothing(reasons: Counter[str], detail: str) -> KeyProblem | WireError | CaptureError:
    """The error that ends a decoding without one reading; its class is the exit code's: keys, or the input."""
    if set(reasons) & _KEY_REASONS:
        wrong = KeyMismatch.__name__ in reasons
        return KeyMismatch(detail) if wrong else KeyMissing(detail)
    return Malformed(detail)
