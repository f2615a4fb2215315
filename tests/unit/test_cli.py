"""The front door: help, exit codes, one line per error, and a start that imports little."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

import bluewatt.cli
import bluewatt.cli.reference
from bluewatt import __version__
from bluewatt.cli import COMMANDS, main
from bluewatt.cli.options import limit_of
from bluewatt.errors import EXIT_CODES, BluewattError, DeviceNotFound, ExitCode, LinkLost
from bluewatt.model.reading import ADVERTISEMENT, Frame
from bluewatt.tables.records.solarsense import Solarsense
from bluewatt.wire.instant_readout.advertisement import build_advertisement
from tests.making.recordings import write_recording

COMMAND = Path(sys.executable).with_name("bluewatt")
Captured = pytest.CaptureFixture[str]


def imported(*arguments: str) -> set[str]:
    """Top-level modules a run of the command has imported when it ends."""
    script = (
        f"import sys; from bluewatt.cli import main; main({list(arguments)!r}); print(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(done.stderr.splitlines()[-1].split())


def test_help_imports_next_to_nothing() -> None:
    loaded = imported("--help")
    assert not loaded & {"msgspec", "rich", "asyncio", "bleak", "bumble", "numpy", "cryptography", "bluewatt.schema"}
    assert not {name for name in loaded if name.startswith("bluewatt.cli.")}


def test_decoding_one_advertisement_imports_no_terminal_and_no_loop() -> None:
    loaded = imported("decode", "10025ba0", "--json")
    assert not loaded & {"rich", "asyncio", "bleak", "bumble", "numpy", "tomllib"}


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
@pytest.mark.parametrize("arguments", [("--help",), ("scan", "capture:RECORDING"), ("decode", "RECORDING", "--json")])
def test_a_full_disk_is_told_in_one_line(arguments: tuple[str, ...], tmp_path: Path) -> None:
    given = [text.replace("RECORDING", recording(tmp_path)) for text in arguments]
    with open("/dev/full", "w") as full:
        done = subprocess.run([COMMAND, *given], stdout=full, stderr=subprocess.PIPE, text=True)
    assert (done.returncode, done.stderr) == (7, "bluewatt: cannot write the output: No space left on device\n")


@pytest.mark.skipif(os.name != "posix", reason="closes a descriptor as POSIX shells do")
@pytest.mark.parametrize("closed", [0, 1])
def test_a_closed_standard_stream_is_an_empty_one(closed: int, tmp_path: Path) -> None:
    given = ["decode", "-", "--json"] if closed == 0 else ["decode", recording(tmp_path), "--json"]
    done = subprocess.run(
        ["sh", "-c", f'exec "$@" {closed}>&-', "sh", COMMAND, *given], stderr=subprocess.PIPE, text=True
    )
    assert done.returncode == (7 if closed == 0 else 0)
    assert "bug" not in done.stderr


def test_a_terminal_without_our_characters_gets_question_marks(tmp_path: Path) -> None:
    """Windows and containers without a locale."""
    done = subprocess.run(
        [COMMAND, "scan", f"capture:{recording(tmp_path)}"],
        capture_output=True, text=True, check=True, env=os.environ | {"PYTHONIOENCODING": "ascii"},
    )  # fmt: skip
    assert " W/m?" in done.stdout


def recording(folder: Path) -> str:
    """The path of a recording of one device that needs no key."""
    data = build_advertisement(Solarsense(irradiance=812.3), product_id=0xC050, key=None, nonce=7)
    frame = Frame(1.7e9, "ble:", ADVERTISEMENT, "AA:BB:CC:DD:EE:FF", data)
    return str(write_recording(folder / "one.jsonl", [frame]))


def test_a_capture_is_heard_to_its_end_where_no_terminal_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout", io.StringIO())
    assert (limit_of(None, "capture:x?speed=1"), limit_of(3, "capture:x"), limit_of(None, "ble:")) == (None, 3, 10)


def test_help_names_every_command(capfd: Captured) -> None:
    assert main(["--help"]) == 0
    told = capfd.readouterr().out
    assert all(name in told for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_there_and_helps(name: str, capfd: Captured) -> None:
    assert main([name, "-h"]) == 0
    assert "Usage: bluewatt" in capfd.readouterr().out
    assert bluewatt.cli.bluewatt.get_command(click.Context(bluewatt.cli.bluewatt), name) is not None


def test_version(capfd: Captured) -> None:
    assert main(["--version"]) == 0
    assert capfd.readouterr().out == f"bluewatt {__version__}\n"


@pytest.mark.parametrize(
    "arguments",
    [["nonsense"], ["decode"], ["demo", "--speed", "0"], ["demo", "--speed", "nan"], ["demo", "--devices", "501"],
     ["scan", "--nonsense"], ["scan", "--seconds", "nan"], ["watch", "--seconds", "inf"],
     ["read", "x", "--timeout", "nan"], ["capture", "x", "--seconds", "nan"], ["emulate", "mppt", "--seconds", "nan"],
     ["emulate", "mppt", "--speed", "10001"]],
)  # fmt: skip
def test_a_wrong_command_line_is_code_2(arguments: list[str], capfd: Captured) -> None:
    assert main(arguments) == 2
    shown = capfd.readouterr()
    assert shown.out == ""
    assert "Error: " in shown.err


class Failing(click.Command):
    """A command that ends with an error."""

    def __init__(self, error: BaseException) -> None:
        super().__init__("failing")
        self.error = error

    def invoke(self, ctx: click.Context) -> None:
        raise self.error


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> object:
    def run(error: BaseException) -> int:
        monkeypatch.setattr(bluewatt.cli.LazyGroup, "get_command", lambda *_: Failing(error))
        return main(["demo"])

    return run


def all_errors(cls: type[BluewattError] = BluewattError) -> list[type[BluewattError]]:
    return [cls, *(found for child in cls.__subclasses__() for found in all_errors(child))]


@pytest.mark.parametrize("cls", [cls for cls in all_errors() if cls.__name__ != "DeviceRefused"])
def test_an_error_is_one_line_and_its_exit_code(cls: type[BluewattError], failing, capfd: Captured) -> None:
    assert failing(cls("it went wrong")) == cls.exit_code
    assert cls is BluewattError or cls.exit_code != ExitCode.BUG
    assert capfd.readouterr() == ("", "bluewatt: it went wrong\n")


def test_each_exit_code_is_explained_once() -> None:
    assert list(EXIT_CODES) == list(ExitCode)
    for page in ("cli", "errors"):
        shown = bluewatt.cli.reference.page(page)
        assert all(shown.count(f"| {code:d} | {says} |") == 1 for code, says in EXIT_CODES.items())


def test_an_error_in_a_group_of_errors_is_found(failing, capfd: Captured) -> None:
    group = ExceptionGroup("tasks", [RuntimeError("later"), ExceptionGroup("inner", [LinkLost("the link is lost")])])
    assert failing(group) == 3
    assert capfd.readouterr().err == "bluewatt: the link is lost\n"


def test_a_bug_is_code_1_and_says_how_to_see_more(failing, capfd: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    assert failing(ZeroDivisionError("secret")) == 1
    told = capfd.readouterr().err
    assert told.startswith("bluewatt: unexpected ZeroDivisionError")
    assert "BLUEWATT_DEBUG=1" in told
    assert "secret" not in told
    monkeypatch.setenv("BLUEWATT_DEBUG", "1")
    failing(ZeroDivisionError("in sight"))
    assert "ZeroDivisionError: in sight" in capfd.readouterr().err


def test_ctrl_c_is_quiet(failing, capfd: Captured) -> None:
    assert failing(KeyboardInterrupt()) == 130
    assert "Traceback" not in capfd.readouterr().err


def test_a_missing_adapter_is_code_3(tmp_path: Path) -> None:
    """No system bus: as on a machine without Bluetooth, or in a container."""
    environment = {**os.environ, "DBUS_SYSTEM_BUS_ADDRESS": f"unix:path={tmp_path}/nobody"}
    done = subprocess.run(
        [COMMAND, "scan", "--seconds", "1"], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 3
    assert done.stdout == ""
    assert done.stderr.startswith("bluewatt: ")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "spec", ["nonsense", "nonsense:", "virtual:here", "virtual:?seed=x", "virtual:?speed=0", "ble:?mode=loud",
             "virtual:?speed=1e9", "virtual:?devices=501", "virtual:?start=nan", "virtual:?nonsense=1", "capture:",
             "capture:x?speed=no"],
)  # fmt: skip
def test_a_source_that_makes_no_sense_is_code_6(spec: str, capfd: Captured) -> None:
    assert main(["scan", spec]) == 6
    assert capfd.readouterr().err.startswith("bluewatt: ")


def test_an_adapter_belongs_to_ble_alone(capfd: Captured) -> None:
    assert main(["scan", "virtual:", "--adapter", "hci1"]) == 2
    assert "--adapter" in capfd.readouterr().err


@pytest.mark.parametrize(("given", "told"), [([], 1), (["--seconds", "0.8"], 0)])
def test_a_watch_that_ended_by_itself_says_so(
    given: list[str], told: int, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    monkeypatch.setattr("bluewatt.cli.options.WITHOUT_TERMINAL", 0.8)
    assert main(["watch", "virtual:?devices=2", "--json", *given]) == 0
    assert capfdbinary.readouterr().err.count(b"bluewatt: ended after 0.8 s: give --seconds for longer\n") == told


def test_nothing_heard_says_what_to_check() -> None:
    from bluewatt.model.keys import KeyRing
    from bluewatt.services.source_reader import SourceReader, nothing_heard
    from bluewatt.transports.ble.scan import BleSource

    source = BleSource()
    opened = SourceReader(source, KeyRing())
    assert "adapter is on" in str(nothing_heard(opened))
    source.counters.strangers = 12
    assert "12 advertisements of others" in str(nothing_heard(opened))
    assert isinstance(nothing_heard(opened), DeviceNotFound)
