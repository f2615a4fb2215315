"""Files that commands write: never over what is read, never over what exists unasked, never by half."""

from __future__ import annotations

import asyncio
import io
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bluewatt.app.capturing import LinkRecorder
from bluewatt.app.decoding import output as outputs
from bluewatt.cli import main
from bluewatt.errors import CaptureError
from bluewatt.model.reading import ADVERTISEMENT, Frame
from bluewatt.services.simulator import Site, frames
from bluewatt.transports.capture.frames import read_frames
from bluewatt.transports.capture.recording import FrameRecorder, encode_frame
from bluewatt.wire.containers.btsnoop_writer import FILE_START, advertisement_records
from tests.making.recordings import write_recording

COMMAND = Path(sys.executable).with_name("bluewatt")
Captured = pytest.CaptureFixture[str]
ADDRESS = "C0:11:22:33:44:55"
OLD = b"a year of the user's work"


pytestmark = pytest.mark.usefixtures("no_keys_of_this_machine")


@pytest.fixture(scope="module")
def site() -> Site:
    return Site(3, devices=4)


@pytest.fixture(scope="module")
def heard(site: Site) -> list[Frame]:
    return list(frames(site, site.now, 4))


@pytest.fixture
def recording(heard: list[Frame], tmp_path: Path) -> Path:
    return write_recording(tmp_path / "site.jsonl", heard)


@pytest.fixture
def capture(heard: list[Frame], tmp_path: Path) -> Path:
    path = tmp_path / "site.btsnoop"
    records = [advertisement_records(one.at, one.address, one.payload, one.name, one.rssi) for one in heard]
    path.write_bytes(FILE_START + b"".join(records))
    return path


@pytest.fixture
def key(site: Site) -> str:
    return f"{site.devices[0].address}={site.devices[0].key.hex()}"


def writing(name: str, capture: Path, output: Path, key: str) -> list[str]:
    """The arguments of one way to write a file."""
    ways = {
        "json": ["decode", str(capture), "--json", "-o", str(output)],
        "csv": ["decode", str(capture), "--format", "csv", "-o", str(output), "--key", key],
        "table": ["decode", str(capture), "-o", str(output), "--key", key],
        "parquet": ["decode", str(capture), "--format", "parquet", "-o", str(output), "--key", key],
        "report": ["decode", str(capture), "--report", str(output), "--key", key],
        "redact": ["decode", str(capture), "--redact", str(output)],
        "capture": ["capture", str(output), "--source", f"capture:{capture}"],
        "demo": ["demo", "--seconds", "0.1", "--picture", str(output)],
    }
    return ways[name]


READING = ("json", "csv", "table", "parquet", "report", "redact", "capture")
WAYS = (*READING, "demo")


@pytest.mark.parametrize("way", WAYS)
def test_what_exists_is_replaced_by_force_only(
    capture: Path, tmp_path: Path, key: str, capfd: Captured, way: str
) -> None:
    output = tmp_path / "out"
    output.write_bytes(OLD)
    arguments = writing(way, capture, output, key)
    assert main(arguments) == 7
    assert f"{output} exists: --force replaces it" in capfd.readouterr().err
    assert output.read_bytes() == OLD
    assert main([*arguments, "--force"]) in (0, 5)  # json: without its key
    assert output.read_bytes() != OLD
    assert {path.name for path in tmp_path.iterdir()} == {"out", "site.btsnoop"}


@pytest.mark.parametrize("way", READING)
@pytest.mark.parametrize("name", ["itself", "hard link", "soft link"])
def test_what_is_read_is_never_written(
    capture: Path, tmp_path: Path, key: str, capfd: Captured, way: str, name: str
) -> None:
    before, output = capture.read_bytes(), tmp_path / "other name"
    if name == "hard link":
        output.hardlink_to(capture)
    elif name == "soft link":
        output.symlink_to(capture)
    else:
        output = capture
    assert main([*writing(way, capture, output, key), "--force"]) == 7
    assert "is the file that is read" in capfd.readouterr().err
    assert capture.read_bytes() == before


def test_standard_input_is_not_written_either(capture: Path) -> None:
    before = capture.read_bytes()
    with capture.open("rb") as given:
        arguments = [COMMAND, "decode", "-", "--json", "--force", "-o", str(capture)]
        ended = subprocess.run(arguments, stdin=given, capture_output=True, text=True)
    assert (ended.returncode, capture.read_bytes()) == (7, before)
    assert "is standard input" in ended.stderr


@pytest.mark.parametrize("way", WAYS)
def test_an_empty_file_has_nothing_to_lose(capture: Path, tmp_path: Path, key: str, way: str) -> None:
    output = tmp_path / "made by mktemp"
    output.touch()
    assert main(writing(way, capture, output, key)) in (0, 5)
    assert output.stat().st_size


@pytest.mark.parametrize("way", WAYS)
def test_a_full_disk_is_told_and_leaves_no_rest(
    capture: Path, tmp_path: Path, key: str, capfd: Captured, way: str
) -> None:
    before = sorted(tmp_path.iterdir())
    assert main(writing(way, capture, Path("/dev/full"), key)) == 7
    assert "cannot write /dev/full: " in capfd.readouterr().err
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("way", ["csv", "table", "parquet", "report", "redact", "capture"])
def test_an_input_with_nothing_in_it_replaces_nothing(tmp_path: Path, key: str, way: str) -> None:
    capture, output = tmp_path / "empty.btsnoop", tmp_path / "out"
    capture.write_bytes(FILE_START)
    output.write_bytes(OLD)
    code = main([*writing(way, capture, output, key), "--force"])
    if way != "redact":  # a capture of nothing is one without secrets
        assert (code != 0, output.read_bytes()) == (True, OLD)
    assert {path.name for path in tmp_path.iterdir()} == {"out", "empty.btsnoop"}


def test_what_stands_before_damage_is_written(capture: Path, tmp_path: Path, key: str) -> None:
    capture.write_bytes(capture.read_bytes()[:-3])
    for way in ("json", "csv", "table", "parquet"):
        output = tmp_path / way
        assert main(writing(way, capture, output, key)) == 7
        assert output.stat().st_size > 100, way


def test_a_redaction_that_breaks_off_writes_nothing(
    capture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> object:
        yield FILE_START
        raise CaptureError("captures of a sniffer cannot be redacted")

    monkeypatch.setattr("bluewatt.app.decoding.redact.redact_packets", broken)
    assert main(["decode", str(capture), "--redact", str(tmp_path / "copy")]) == 7
    assert sorted(tmp_path.iterdir()) == [capture]


@pytest.mark.parametrize(("answer", "code"), [(True, 0), (False, 7)])
def test_on_a_terminal_a_person_is_asked(
    capture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: bool, code: int
) -> None:
    output = tmp_path / "copy"
    output.write_bytes(OLD)
    asked: list[str] = []
    for name in ("stdin", "stderr"):
        monkeypatch.setattr(sys, name, type("Terminal", (io.StringIO,), {"isatty": lambda self: True})())
    monkeypatch.setattr(outputs, "confirm", lambda text: asked.append(text) or answer)
    assert main(["decode", str(capture), "--redact", str(output)]) == code
    assert asked == [f"{output} exists. Replace it?"]
    assert (output.read_bytes() == OLD) is not answer


# capture and --record


@pytest.mark.parametrize("existing", [True, False])
def test_a_missing_adapter_leaves_everything_as_it_was(tmp_path: Path, existing: bool) -> None:
    output = tmp_path / "air.btsnoop"
    if existing:
        output.write_bytes(OLD)
    for more in (["--source", "tcp-client:127.0.0.1:1"], ["--link", "x", "--radio", "tcp-client:127.0.0.1:1"]):
        assert main(["capture", str(output), "--force", *more]) == 3
    assert main(["scan", "tcp-client:127.0.0.1:1", "--record", str(tmp_path / "r.jsonl")]) == 3
    assert [path.name for path in tmp_path.iterdir()] == (["air.btsnoop"] if existing else [])
    assert not existing or output.read_bytes() == OLD


@pytest.mark.parametrize("name", ["itself", "hard link", "soft link"])
def test_a_recording_is_not_recorded_into_itself(recording: Path, tmp_path: Path, capfd: Captured, name: str) -> None:
    before, output = recording.read_bytes(), tmp_path / "other name"
    if name == "hard link":
        output.hardlink_to(recording)
    elif name == "soft link":
        output.symlink_to(recording)
    else:
        output = recording
    for command in ("scan", "watch"):
        assert main([command, f"capture:{recording}?speed=100", "--record", str(output)]) == 7
        assert "is the file that is read" in capfd.readouterr().err
    assert recording.read_bytes() == before


def test_a_recording_is_appended_to_and_nothing_else_is(recording: Path, heard: list[Frame], tmp_path: Path) -> None:
    output, foreign = tmp_path / "own.jsonl", tmp_path / "readings.jsonl"
    for _ in range(2):
        main(["scan", f"capture:{recording}", "--record", str(output)])
    assert [frame.payload for frame in read_frames(output)] == [frame.payload for frame in heard * 2]
    for content in (b'{"at":"2026-01-01T00:00:00Z","kind":"reading"}\n', b"{}\n", OLD, b'{"theme": "dark"}'):
        foreign.write_bytes(content)
        assert main(["scan", f"capture:{recording}", "--record", str(foreign)]) == 7
        assert foreign.read_bytes() == content


def test_a_recording_of_one_torn_line_goes_on(heard: list[Frame], tmp_path: Path) -> None:
    path = tmp_path / "torn.jsonl"
    path.write_bytes(encode_frame(heard[0])[:40])
    with FrameRecorder.open(path) as recorder:
        recorder.write(heard[1])
    assert list(read_frames(path)) == [heard[1]]


class Short(io.RawIOBase):
    """A disk that takes a part of each write, then is full once."""

    def __init__(self, room: int) -> None:
        self.content = b""
        self._room = room

    def write(self, data: object) -> int:
        taken = bytes(memoryview(data))[: min(self._room, 7)]  # type: ignore[arg-type]
        if not taken:
            self._room = 10_000
            raise OSError(28, "No space left on device")
        self._room -= len(taken)
        self.content += taken
        return len(taken)


def test_a_short_write_is_gone_on_with_and_a_torn_line_ended(heard: list[Frame]) -> None:
    line = encode_frame(heard[0])
    file = Short(len(line) + 30)
    recorder = FrameRecorder(file, "drive.jsonl")
    recorder.write(heard[0])
    with pytest.raises(CaptureError, match=r"drive\.jsonl cannot go on: No space"):
        recorder.write(heard[1])
    recorder.write(heard[2])
    assert recorder.count == 2
    lines = file.content.splitlines(keepends=True)
    assert (lines[0], lines[2]) == (line, encode_frame(heard[2]))
    assert encode_frame(heard[1]).startswith(lines[1].rstrip(b"\n"))


def test_a_file_that_takes_nothing_is_not_asked_for_ever(heard: list[Frame]) -> None:
    class Stuck(io.RawIOBase):
        def write(self, data: object) -> int:
            return 0

    with pytest.raises(CaptureError, match="cannot go on"):
        FrameRecorder(Stuck()).write(heard[0])


@pytest.mark.parametrize("existing", [True, False])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_capture_that_is_ended_keeps_what_it_has(tmp_path: Path, existing: bool, number: int) -> None:
    """The frames come through a pipe that stays open: the command cannot end by itself."""
    pipe, output = tmp_path / "pipe.jsonl", tmp_path / "air.btsnoop"
    os.mkfifo(pipe)
    if existing:
        output.write_bytes(OLD)
    sent = [Frame(1.8e9 + count, "x", ADVERTISEMENT, ADDRESS, bytes([0x10, 0, count, 0xA3])) for count in range(9)]
    command = [COMMAND, "capture", str(output), "--source", f"capture:{pipe}", "--force", "--seconds", "600"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as running, pipe.open("wb", buffering=0) as feed:
        feed.write(b"".join(map(encode_frame, sent)))
        wait_until(lambda: any(path.stat().st_size > 400 for path in tmp_path.iterdir() if path != pipe))
        running.send_signal(number)
        told = running.communicate(timeout=60)[1]
    assert running.returncode == 0
    assert "advertisements in" in told
    kept = [frame.payload for frame in read_frames(output)]
    assert kept
    assert kept == [frame.payload for frame in sent[: len(kept)]]
    assert {path.name for path in tmp_path.iterdir()} == {"pipe.jsonl", "air.btsnoop"}


def wait_until(true: Callable[[], bool]) -> None:
    """Wait without a limit of its own: the limit is that of the test."""
    while not true():
        os.sched_yield()


def test_a_decoding_that_is_ended_leaves_the_old_file(tmp_path: Path, capture: Path) -> None:
    """A file read through a pipe by its name is no live input: half of it is not the whole."""
    pipe, output = tmp_path / "pipe", tmp_path / "out.jsonl"
    os.mkfifo(pipe)
    output.write_bytes(OLD)
    command = [COMMAND, "decode", str(pipe), "--json", "-o", str(output), "--force"]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as running, pipe.open("wb", buffering=0) as feed:
        feed.write(capture.read_bytes())
        wait_until(lambda: any(path.name.startswith(".bluewatt-") for path in tmp_path.iterdir()))
        running.terminate()
        running.communicate(timeout=60)
    assert running.returncode == 128 + signal.SIGTERM
    assert output.read_bytes() == OLD
    assert {path.name for path in tmp_path.iterdir()} == {"pipe", "out.jsonl", "site.btsnoop"}


async def test_a_disk_that_fills_up_ends_a_recorded_connection() -> None:
    """Notifications are written from callbacks, which must not raise; the recording ends all the same."""

    def full(record: bytes) -> None:
        raise CaptureError("cannot write link.btsnoop: No space left on device")

    recorder = LinkRecorder(full)
    with pytest.raises(CaptureError, match="No space"):  # noqa: PT012
        async with recorder.limited():
            recorder.put(b"notified")
            await asyncio.get_running_loop().create_future()
    before = LinkRecorder(full)
    before.put(b"connected")
    with pytest.raises(CaptureError, match="No space"):
        async with before.limited():
            await asyncio.get_running_loop().create_future()


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX")
def test_a_revealed_decoding_is_its_owners_alone(capture: Path, tmp_path: Path, key: str) -> None:
    for reveal, expected in ((["--reveal"], 0o600), ([], 0o644)):
        output = tmp_path / "out"
        before = os.umask(0o022)
        try:
            assert main([*writing("csv", capture, output, key), *reveal, "--force"]) == 0
        finally:
            os.umask(before)
        assert stat.S_IMODE(output.stat().st_mode) == expected
        output.unlink()
