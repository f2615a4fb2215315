"""`bluewatt decode`: one advertisement in words, or all of a capture as a table, JSON Lines, CSV or Parquet."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bluewatt.cli.option_rules import RuledCommand, excludes, given_options, needs
from bluewatt.cli.options import SECRET, force_option, given_names, json_option, keys_options
from bluewatt.extras import libraries_for
from bluewatt.model.pasted_text import bare_hex, lacks_a_digit
from bluewatt.services.keys import NamedKey, named_keys

if TYPE_CHECKING:
    from bluewatt.app.decoding.contents import DecodeKeys

_LONGEST_NAME = 256

RULES = (
    excludes("--explain", "--redact", "--report", "--output", "--json", "--format", "--follow"),
    excludes("--redact", "--report", "--output", "--json", "--format", "--follow", "--reveal", "--ltk"),
    excludes("--report", "--output", "--json", "--format", "--follow"),
    needs("--force", any_of=("--output", "--redact", "--report")),
)
"""Pairs of options of which one would be ignored."""

FOR_FILES = ("--explain", "--redact", "--report", "--ltk", "--follow")
"""Options that have no meaning for an input that is text."""


EXAMPLES = (
    ("decode 10025ba0", "an advertisement in hex digits, in words"),
    ("decode drive.pcapng", "the devices of a capture in a table"),
    ("decode drive.pcapng --format csv -o drive.csv", "all its values as CSV"),
)


@click.command("decode", cls=RuledCommand, rules=RULES, examples=EXAMPLES)
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...")
@keys_options
@json_option("The same as --format json.")
@click.option(
    "--format", "form", type=click.Choice(["table", "json", "csv", "parquet"]), default="table", show_default=True,
    help="The format for captures and logs: a table of the devices, a JSON object per reading, a CSV line per value, "
    "or a Parquet row per advertisement.",
)  # fmt: skip
@click.option(
    "--output", "-o", type=click.Path(dir_okay=False), metavar="FILE",
    help="Write into this file. [default: standard output; Parquet needs a file]",
)  # fmt: skip
@click.option(
    "--explain", "number", type=click.IntRange(min=1), metavar="N", help="Explain message N of the table byte by byte."
)
@click.option(
    "--redact", type=click.Path(dir_okay=False), metavar="OUTPUT",
    help="Write a copy of a capture that is safe to share: addresses, serial numbers, names, keys and PINs replaced.",
)  # fmt: skip
@click.option(
    "--report", type=click.Path(dir_okay=False), metavar="OUTPUT",
    help="Write a report in HTML: devices, timeline, charts, and registers that are not known.",
)  # fmt: skip
@click.option(
    "--ltk", "long_term_keys", type=SECRET, multiple=True, metavar="KEY",
    help="The long-term key (32 hex digits) of an encrypted connection that a sniffer recorded. Repeatable.",
)  # fmt: skip
@click.option(
    "--characteristic", metavar="UUID", default="",
    help="The characteristic that bytes in hex digits belong to, if they do not show it themselves.",
)  # fmt: skip
@click.option("--reveal", is_flag=True, help="Show the keys and PINs in a capture. [default: hidden]")
@click.option("--follow", is_flag=True, help="At the end of a file that grows, wait for more, until Ctrl-C.")
@force_option
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
    long_term_keys: tuple[str, ...],
    characteristic: str,
    reveal: bool,
    follow: bool,
    force: bool,
) -> None:
    """Explain an advertisement, or decode everything in a capture.

    INPUT is text or a file, "-" is standard input. Of a connection, every message is shown, in both directions.

    \b
    Text:  an advertisement in hex digits, with or without the company
           identifier E1 02; a message of a connection, or chunks of one;
           a line of bluetoothctl, btmon, nRF Connect, bleak, ESPHome, ...
    File:  btsnoop, pcap, pcapng, PacketLogger or hcidump, also gzipped or
           in a tar or zip (a sysdiagnose, an Android bug report);
           a recording made with --record; the text that nRF Connect,
           bluetoothctl, btmon, gatttool, hcidump or tshark printed
    """
    if not all(text.strip() for text in inputs):
        raise click.UsageError("an INPUT is empty: it takes hex digits, a line of another tool, or a file")
    texts = [text for text in _words(inputs) if not _is_file(text)]
    files = [text for text in inputs if _is_file(text)]
    _refuse_ignored(texts, files, form, as_json=as_json)
    form = "json" if as_json else form
    named = named_keys(keys, keys_file)
    if texts and form in ("table", "json"):
        from bluewatt.app.decoding.pasted import decode_texts

        uuid = characteristic_uuid(characteristic)
        secrets_of = partial(_secrets, named, keys_file, reveal)
        as_json = form == "json"
        decode_texts(texts, secrets_of, named, characteristic=uuid, as_json=as_json, output=output, force=force)
    elif texts:
        raise click.UsageError(f"--format {form} is for files; {texts[0]!r} is none")
    if files and form == "parquet" and not (number or redact or report):
        _to_parquet(files, named, output, reveal=reveal, force=force)
    elif files:
        secrets = _secrets(named, keys_file, reveal, long_term_keys)
        _decode_files(
            files, secrets, form, output, number=number, redact=redact, report=report, follow=follow,
            force=force, keys_file=keys_file,
        )  # fmt: skip


def _secrets(
    named: Sequence[NamedKey], keys_file: str | None, reveal: bool, long_term_keys: Sequence[str] = ()
) -> DecodeKeys:
    """Return the keys of advertisements, networks and links; imported here, since plain hex digits need none of it."""
    from bluewatt.app.decoding.contents import DecodeKeys
    from bluewatt.services.keys import gather_networks
    from bluewatt.wire.bluetooth.link_encryption import parse_long_term_key

    links = [parse_long_term_key(key) for key in long_term_keys]
    return DecodeKeys(named, gather_networks(keys_file), reveal, links)


def _decode_files(
    files: list[str],
    secrets: DecodeKeys,
    form: str,
    output: str | None,
    *,
    number: int | None,
    redact: str | None,
    report: str | None,
    follow: bool,
    force: bool,
    keys_file: str | None,
) -> None:
    """Do what is asked for with files: explain one message, write a copy to share or a report, or decode everything."""
    if (number is not None or redact or report) and len(files) > 1:
        raise click.UsageError("--explain, --redact and --report take one file")
    if redact:
        from bluewatt.app.decoding.redact import redact_file

        redact_file(files[0], secrets, redact, force=force)
    elif number is not None:
        from bluewatt.app.decoding.convert import explain_number

        explain_number(files[0], secrets, number)
    elif report:
        from bluewatt.app.decoding.convert import write_report

        write_report(files[0], secrets, report, force=force)
    else:
        from bluewatt.app.decoding.convert import decode_files

        names = given_names(keys_file) if form == "table" else {}
        decode_files(files, secrets, form, output, follow=follow, force=force, names=names)


def _refuse_ignored(texts: Sequence[str], files: Sequence[str], form: str, *, as_json: bool) -> None:
    """Raise a usage error for options that these inputs, or this format, would ignore."""
    given = given_options(click.get_current_context())
    if as_json and form != "json" and "--format" in given:
        raise click.UsageError(f"--json or --format {form}: one of the two")
    if texts and (ignored := next((name for name in FOR_FILES if name in given), None)):
        raise click.UsageError(f"{ignored} is for files; {texts[0]!r} is none")
    if not texts and "--characteristic" in given:
        raise click.UsageError(f"--characteristic is for bytes in hex digits; {files[0]!r} is a file")
    if texts and files and "--output" in given:
        raise click.UsageError("--output takes advertisements or files, not both at once")
    if form == "parquet" and (ignored := next((name for name in ("--ltk", "--follow") if name in given), None)):
        raise click.UsageError(f"{ignored} or --format parquet: one of the two, together one would be ignored")
    if len(files) > 1 and ("--follow" in given or files.count("-") > 1):
        raise click.UsageError("--follow takes one file" if "--follow" in given else "standard input can be read once")


def _to_parquet(
    files: Sequence[str], named: Sequence[NamedKey], output: str | None, *, reveal: bool, force: bool
) -> None:
    if output is None:
        raise click.UsageError("--format parquet needs --output FILE")
    # Read when they are imported: numpy's threads for linear algebra find no work here, and starting them costs;
    # Arrow's own allocator keeps a sixth more memory than the system's and is no faster.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
    with libraries_for("Parquet"):
        from bluewatt.app.decoding.parquet import to_parquet
    to_parquet(Path(output), files, named, reveal=reveal, force=force)


def characteristic_uuid(text: str) -> str:
    """Return the UUID of a characteristic in its long form, empty for none; a usage error if it is no UUID."""
    if not text:
        return ""
    from bluewatt.wire.text_logs.words import full_uuid

    found = full_uuid(text)
    if not found:
        raise click.UsageError(f"--characteristic takes a UUID, such as 306b0003-b081-4037-83dc-e59fcc3cdfd0: {text!r}")
    return found


def _is_file(text: str) -> bool:
    """Return whether an input names a file rather than being an advertisement; the file need not exist."""
    digits = bare_hex(text) is not None or lacks_a_digit(text)
    looks_like_text = digits or any(character in text for character in " :'\n")
    return text == "-" or not looks_like_text or (len(text) < _LONGEST_NAME and Path(text).exists())


def _words(inputs: Sequence[str]) -> Sequence[str]:
    """Return the inputs; bytes that were typed as separate words, without quotes, are one input."""
    if len(inputs) > 1 and all(re.fullmatch(r"(?:0x)?[0-9a-fA-F]{2},?", word) for word in inputs):
        return [" ".join(inputs)]
    return inputs
