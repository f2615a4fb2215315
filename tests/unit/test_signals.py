"""How a command ends when a signal asks it to, and in which state it leaves what others share."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

COMMAND = """
import asyncio, sys
from bluewatt.app.lifetime import run_until_stopped
from bluewatt.transports.input_lines import lines

async def main():
    try:
        print("ready", flush=True)
        async for line in lines(sys.stdin.buffer):
            print(line.decode().strip(), flush=True)
    finally:
        print("closing", flush=True)
        await asyncio.sleep(3600 if "hang" in sys.argv else 0)
        print("closed", flush=True)

run_until_stopped(main())
"""


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """Both ends of a pipe, the reading end shared with the command."""
    read, write = os.pipe()
    yield read, write
    os.close(read)
    os.close(write)


def command(read: int, *arguments: str, before: tuple[str, ...] = ()) -> subprocess.Popen[str]:
    line = [*before, sys.executable, "-c", COMMAND, *arguments]
    return subprocess.Popen(
        line, stdin=read, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )  # fmt: skip


def told(child: subprocess.Popen[str]) -> str:
    assert child.stdout is not None
    return child.stdout.readline().strip()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_a_command_well_and_its_input_as_it_was(number: int, pipe: tuple[int, int]) -> None:
    read, write = pipe
    with command(read) as child:
        assert told(child) == "ready"
        os.write(write, b"one\n")
        assert told(child) == "one"
        assert not os.get_blocking(read), "it shares the state of the pipe with us"
        child.send_signal(number)
        out, problems = child.communicate()
    assert (out.split(), problems, child.returncode) == (["closing", "closed"], "", 0)
    assert os.get_blocking(read)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_second_signal_ends_it_at_once_whatever_it_closes(number: int, pipe: tuple[int, int]) -> None:
    read, write = pipe
    with command(read, "hang") as child:
        assert told(child) == "ready"
        os.write(write, b"one\n")
        assert told(child) == "one"
        child.send_signal(signal.SIGTERM)
        assert told(child) == "closing"
        child.send_signal(number)
        out, problems = child.communicate()
    assert (out, problems, child.returncode) == ("", "", -number)
    assert os.get_blocking(read)


def test_nohup_is_obeyed(pipe: tuple[int, int]) -> None:
    read, write = pipe
    with command(read, before=("nohup",)) as child:
        assert told(child) == "ready"
        child.send_signal(signal.SIGHUP)
        os.write(write, b"still here\n")
        assert told(child) == "still here"
        child.send_signal(signal.SIGTERM)
        child.communicate()
    assert child.returncode == 0
