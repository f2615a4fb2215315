"""What every command offers: examples that can be run, `-v`, and a suggestion for a misspelt name."""

from __future__ import annotations

import logging
import shlex
from importlib import import_module

import click
import pytest

from bluewatt.cli import COMMANDS, main
from bluewatt.cli.option_rules import RuledCommand, check_rules, given_options
from bluewatt.exports.terminal.verbosity import notice_over_line, progress_line, verbose

Captured = pytest.CaptureFixture[str]


def command(name: str) -> click.Command:
    found: click.Command = import_module(f"bluewatt.cli.{name}").command
    return found


@pytest.mark.parametrize("name", COMMANDS)
def test_every_help_ends_with_examples(name: str, capfd: Captured) -> None:
    found = command(name)
    assert isinstance(found, RuledCommand)
    assert len(found.examples) >= 2
    assert main([name, "--help"]) == 0
    shown = capfd.readouterr().out.partition("\nExamples:\n")[2]
    for line, does in found.examples:
        assert f"  bluewatt {line}\n" in shown
        assert not does.endswith(".")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_example_is_a_command_line_of_its_command(name: str) -> None:
    found = command(name)
    assert isinstance(found, RuledCommand)
    for line, _ in found.examples:
        first, *words = shlex.split(line.partition(" > ")[0])
        assert first == name
        with found.make_context(name, words) as context:
            check_rules(found.rules, given_options(context))


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_takes_v(name: str) -> None:
    (option,) = [one for one in command(name).params if "-v" in one.opts]
    assert isinstance(option, click.Option)
    assert (option.count, option.opts) == (True, ["-v", "--verbose"])


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("scn", "did you mean scan?"),
        ("Wach", "did you mean watch?"),
        ("xyzzy", "`bluewatt --help` lists the commands"),
    ],
)
def test_a_misspelt_command_is_suggested(typed: str, said: str, capfd: Captured) -> None:
    assert main([typed]) == 2
    shown = capfd.readouterr()
    assert f"there is no command '{typed}'" in shown.err
    assert said in shown.err
    assert not shown.out


class Terminal:
    """A standard error that is a terminal and keeps what is written."""

    def __init__(self) -> None:
        self.written = ""

    def write(self, text: str) -> int:
        self.written += text
        return len(text)

    def flush(self) -> None:
        pass

    def isatty(self) -> bool:
        return True


def use_terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Return a terminal that is standard error from now on; pytest puts its own there between fixtures and test."""
    made = Terminal()
    monkeypatch.setattr("sys.stderr", made)
    return made


STEP = logging.getLogger("bluewatt.test")


def test_steps_are_lines_with_v_and_nothing_afterwards(capsys: Captured) -> None:
    with verbose():
        STEP.debug("found %s, %d dBm", "Shunt\x1b[2J", -60)
        logging.getLogger("library").info("not ours")
    STEP.debug("too late")
    assert capsys.readouterr().err == "bluewatt: found Shunt\ufffd[2J, -60 dBm\n"


def test_libraries_are_reported_with_two_v(capsys: Captured) -> None:
    with verbose(libraries=True):
        STEP.info("ours")
        logging.getLogger("library").info("theirs")
        logging.getLogger("library").debug("may hold keys")
    told = capsys.readouterr().err
    assert told.count("ours") == 1
    assert told.count("theirs") == 1
    assert "keys" not in told


def test_a_terminal_shows_the_present_step_on_one_line_that_goes_away(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = use_terminal(monkeypatch)
    with progress_line():
        STEP.info("looking for %s", "Shunt")
        STEP.debug("a detail")
        STEP.info("pairing")
        notice_over_line("a notice")
    assert terminal.written == ("\r\x1b[Klooking for Shunt ...\r\x1b[Kpairing ...\r\x1b[Kbluewatt: a notice\n\r\x1b[K")


def test_the_line_is_left_out_with_v(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = use_terminal(monkeypatch)
    with verbose(), progress_line():
        STEP.info("connecting")
    assert terminal.written == "bluewatt: connecting\n"


def test_the_line_is_no_part_of_a_file(capsys: Captured) -> None:
    with progress_line():
        STEP.info("connecting")
    assert capsys.readouterr().err == ""
