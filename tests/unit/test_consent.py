"""Consent at a real terminal: only what is typed after the question counts."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pty = pytest.importorskip("pty", reason="needs a terminal of a POSIX system")

QUESTION = b"Type yes to change it: "
CHANGE = ("set", "Solar", "float_voltage=13.6", "--radio", "virtual:", "--pin", "000000")


class Terminal:
    """The command at a terminal of its own; what a person types before it starts waits in the terminal."""

    def __init__(self, home: Path, typed_before: bytes) -> None:
        config = home / "config" / "bluewatt"
        config.mkdir(parents=True)
        (config / "config.toml").write_text('allow_writes = ["float_voltage"]')
        environ = {key: value for key, value in os.environ.items() if not key.startswith("BLUEWATT_")}
        environ |= {"XDG_CONFIG_HOME": str(home / "config"), "XDG_STATE_HOME": str(home / "state")}
        self.audit = home / "state" / "bluewatt" / "audit.jsonl"
        self._master, slave = pty.openpty()
        os.write(self._master, typed_before)
        command = [sys.executable, "-c", "from bluewatt.cli import main; raise SystemExit(main())", *CHANGE]
        self._process = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, env=environ)
        os.close(slave)

    def asked(self) -> bytes:
        """What is on the screen when the question has appeared, or when the command ended without it."""
        shown = b""
        while QUESTION not in shown and (more := self._read()):
            shown += more
        return shown

    def answer(self, typed: bytes) -> tuple[int, bytes]:
        """Type, and wait for the end: exit code, and the rest of the screen."""
        os.write(self._master, typed)
        shown = b""
        while more := self._read():
            shown += more
        os.close(self._master)
        return self._process.wait(), shown

    def _read(self) -> bytes:
        try:
            return os.read(self._master, 4096)
        except OSError:  # the other side was closed
            return b""


@pytest.mark.parametrize("typed_before", [b"yes\n", b"yes\nyes\nyes\n", b"ye"])
def test_what_was_typed_before_the_question_is_no_consent(tmp_path: Path, typed_before: bytes) -> None:
    terminal = Terminal(tmp_path, typed_before)
    assert terminal.asked().endswith(QUESTION)
    code, shown = terminal.answer(b"s\n")
    assert (code, b"no consent" in shown) == (4, True)
    assert not terminal.audit.exists()


def test_what_is_typed_after_the_question_is_the_answer(tmp_path: Path) -> None:
    terminal = Terminal(tmp_path, b"no\n")
    assert "13.5 → 13.6 V".encode() in terminal.asked()
    code, shown = terminal.answer(b"Yes\n")
    assert (code, "float_voltage: 13.5 → 13.6 V".encode() in shown) == (0, True)
    assert len(terminal.audit.read_bytes().splitlines()) == 2
