"""No option is ignored in silence: every pair of options of every command either works together or is refused."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import click
import pytest

from bluewatt.cli import COMMANDS, main
from bluewatt.cli.option_rules import Excludes, Needs, RuledCommand, check_rules, excludes, needs

LINK = ("--nearest", "--pin", "--adapter", "--radio", "--timeout")
DECODE_FORM = ("--output", "--json", "--format", "--follow")

REFUSED: dict[str, set[frozenset[str]]] = {
    "decode": {
        *(frozenset({"--explain", other}) for other in ("--redact", "--report", *DECODE_FORM)),
        *(frozenset({"--redact", other}) for other in ("--report", *DECODE_FORM, "--reveal", "--ltk")),
        *(frozenset({"--report", other}) for other in DECODE_FORM),
    },
    "demo": {frozenset({"--serve", other}) for other in ("--json", "--record", "--picture")},
    "capture": {frozenset({"--link", "--source"})},
    "emulate": {frozenset({"--forget", "--state"})},
    "read": {frozenset({"--all", "--group"}), frozenset({"--json", "--csv"})},
    "history": {frozenset({"--json", "--csv"})},
    "key": {
        *(frozenset({one, other}) for one in ("--import", "--list") for other in ("--check", *LINK)),
        frozenset({"--import", "--list"}),
        *(frozenset({"--check", other}) for other in ("--nearest", "--pin")),
    },
    "mode": {frozenset({"--dry-run", "--yes"})},
    "reference": {frozenset(pair) for pair in itertools.combinations(("--json", "--csv", "--c"), 2)},
    "set": {
        frozenset({"--dry-run", "--yes"}),
        *(frozenset({one, other}) for one in ("--list", "--log") for other in ("--dry-run", "--yes", "--undo", *LINK)),
        frozenset({"--list", "--log"}),
    },
}
"""Pairs of which one would be ignored. All others of a command mean something together."""

ALONE: dict[str, dict[str, set[str]]] = {
    "decode": {"--force": {"--output", "--redact", "--report"}},
    "demo": {"--force": {"--picture"}},
    "capture": {"--pin": {"--link"}, "--radio": {"--link"}},
    "emulate": {"--transmit": {"--vesmart"}},
    "key": {"--json": {"--list", "--check"}},
    "set": {"--json": {"--log"}, "--utc": {"--log"}},
}
"""Options that need one of others."""


def command(name: str) -> click.Command:
    found: click.Command = import_module(f"bluewatt.cli.{name}").command
    return found


def options(name: str) -> list[str]:
    return [max(one.opts, key=len) for one in command(name).params if isinstance(one, click.Option)]


def pairs() -> Iterator[tuple[str, str, str]]:
    for name in COMMANDS:
        for one, other in itertools.combinations(options(name), 2):
            yield name, one, other


def refused(name: str, given: set[str]) -> bool:
    found = command(name)
    try:
        check_rules(found.rules if isinstance(found, RuledCommand) else (), given)
    except click.UsageError:
        return True
    return False


@pytest.mark.parametrize("name", COMMANDS)
def test_each_pair_of_options_works_or_is_refused(name: str) -> None:
    for of, one, other in pairs():
        if of == name:
            given = {one, other}
            for lonely, beside in ALONE.get(name, {}).items():
                if lonely in given and not given & beside:
                    given.add(sorted(beside)[0])
            expected = any(pair <= given for pair in REFUSED.get(name, ()))
            assert refused(name, given) is expected, (name, given)


@pytest.mark.parametrize("name", ALONE)
def test_an_option_that_needs_another_is_refused_alone(name: str) -> None:
    for lonely, beside in ALONE[name].items():
        assert refused(name, {lonely})
        assert not any(refused(name, {lonely, other}) for other in beside)


@pytest.mark.parametrize("name", COMMANDS)
def test_rules_name_options_that_there_are(name: str) -> None:
    found = command(name)
    there = {
        *options(name),
        *(one.name.upper() for one in found.params if isinstance(one, click.Argument) and one.name),
    }
    for rule in found.rules if isinstance(found, RuledCommand) else ():
        named = {rule.one, *rule.others} if isinstance(rule, Excludes) else {*rule.ones, *rule.others}
        assert named <= there


HEX = "10025ba0"
IGNORED = {
    "a report of text": ["decode", HEX, "--report", "OUT"],
    "a redaction of text": ["decode", HEX, "--redact", "OUT"],
    "an explanation of text": ["decode", HEX, "--explain", "1"],
    "following text": ["decode", HEX, "--follow"],
    "a link key for text": ["decode", HEX, "--ltk", "0" * 32],
    "two outputs": ["decode", "FILE", "--report", "OUT", "--redact", "OUT"],
    "a report as JSON": ["decode", "FILE", "--report", "OUT", "--json"],
    "two formats": ["decode", "FILE", "--json", "--format", "csv"],
    "text and a file into one": ["decode", HEX, "FILE", "-o", "OUT"],
    "following two files": ["decode", "FILE", "FILE", "--follow"],
    "standard input twice": ["decode", "-", "-"],
    "a link key for Parquet": ["decode", "FILE", "--format", "parquet", "-o", "OUT", "--ltk", "0" * 32],
    "following into Parquet": ["decode", "FILE", "--format", "parquet", "-o", "OUT", "--follow"],
    "force without a file": ["decode", "FILE", "--force"],
    "a PIN without a link": ["capture", "OUT", "--pin", "000000"],
    "a radio without a link": ["capture", "OUT", "--radio", "virtual:"],
    "a source beside a link": ["capture", "OUT", "--link", "x", "--source", "ble:"],
    "a recording of what is served": ["demo", "--serve", "tcp-server:127.0.0.1:1", "--record", "OUT"],
    "a state to be forgotten": ["emulate", "mppt", "--forget", "--state", "OUT"],
    "transmitting nothing": ["emulate", "mppt", "--transmit"],
    "all and some": ["read", "x", "--all", "--group", "live"],
    "a PIN for a list of keys": ["key", "--import", "FILE", "--pin", "000000"],
    "a device to list for": ["set", "x", "--list"],
    "consent to nothing": ["set", "x", "charger=on", "--dry-run", "--yes"],
    "a second source": ["watch", "ble:", "ble:hci1"],
    "a source after a device": ["watch", "shunt", "ble:hci1"],
}


@pytest.mark.parametrize("arguments", IGNORED.values(), ids=IGNORED)
def test_what_would_be_ignored_is_a_usage_error(
    arguments: list[str], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "FILE"
    file.write_text(f"{HEX}\n")
    given = [str(tmp_path / text) if text in ("FILE", "OUT") else text for text in arguments]
    assert main(given) == 2
    told = capfd.readouterr()
    assert (told.out, "Error: " in told.err) == ("", True)
    assert list(tmp_path.iterdir()) == [file]


def test_rules_are_said_in_a_sentence() -> None:
    rules = (excludes("--one", "--two"), needs("--three", any_of=("--four", "--five")))
    assert isinstance(rules[1], Needs)
    with pytest.raises(click.UsageError, match="--one or --two: one of the two"):
        check_rules(rules, {"--one", "--two"})
    with pytest.raises(click.UsageError, match="--three is for --four or --five alone"):
        check_rules(rules, {"--three"})
    check_rules(rules, {"--one", "--three", "--five"})
