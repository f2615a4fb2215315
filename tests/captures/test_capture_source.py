"""Captures as a source: frames from files, pipes and gzip, replayed at a pace, recorded and read again."""

from __future__ import annotations

import asyncio
import gzip
import io
import itertools
import os
import subprocess
import sys
import tracemalloc
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from msgspec.structs import replace

from bluewatt.errors import CaptureError, ConfigError
from bluewatt.model.dialogue.transcript import Transcript
from bluewatt.model.reading import Frame
from bluewatt.transports.capture.frames import CaptureCounters, FrameReader, read_frames
from bluewatt.transports.capture.gunzip import Gunzip
from bluewatt.transports.capture.recording import FrameRecorder, encode_frame, parse_frame
from bluewatt.transports.capture.source import CaptureSource
from bluewatt.wire.containers import read_packets
from bluewatt.wire.containers.damage import REACH


async def replayed(source: CaptureSource) -> list[Frame]:
    async with source:
        return [frame async for frame in source]


async def kept(source: CaptureSource, frames: list[Frame]) -> AsyncIterator[Frame]:
    """Keep the frames of a source that ends in an error; nothing is yielded."""
    async for frame in source:
        frames.append(frame)
    for none in ():
        yield none


@pytest.fixture
def capture(making: SimpleNamespace, rows: list, tmp_path: Path) -> Path:
    path = tmp_path / "drive.btsnoop"
    path.write_bytes(making.CONTAINERS["btsnoop-h4"](rows))
    return path


def test_frames_carry_what_was_heard(making: SimpleNamespace, rows: list, container: str, tmp_path: Path) -> None:
    path = tmp_path / "anything.bin"
    path.write_bytes(making.CONTAINERS[container](rows))
    frames = list(read_frames(path))
    wanted = [row for row in rows if row.payload is not None]
    assert [(frame.address, frame.payload) for frame in frames] == [(row.address, row.payload) for row in wanted]
    assert [frame.at for frame in frames] == pytest.approx([row.at for row in wanted], abs=1e-6)
    assert {frame.origin for frame in frames} == {f"capture:{path}"}
    assert {frame.medium for frame in frames} == {"advertisement"}


def test_a_name_stays_with_its_address(capture: Path, rows: list) -> None:
    names: dict[str, str] = {}
    wanted = []
    for row in rows:
        if row.name:
            names[row.address] = row.name
        else:
            wanted.append(names.get(row.address))
    assert [frame.name for frame in read_frames(capture)] == wanted
    assert len(set(wanted)) > 2


async def test_the_source_gives_the_same_frames(capture: Path) -> None:
    assert await replayed(CaptureSource.from_text(str(capture))) == list(read_frames(capture))


async def test_replay_keeps_the_distances(capture: Path, rows: list, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        clock[0] += seconds

    monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: clock[0])
    monkeypatch.setattr("bluewatt.transports.capture.source.asyncio.sleep", sleep)
    heard_at = []
    async with CaptureSource.from_text(f"{capture}?speed=10") as source:
        async for frame in source:
            heard_at.append((clock[0], frame.at))
    first = heard_at[0][1]
    assert [now for now, _ in heard_at] == pytest.approx([(at - first) / 10 for _, at in heard_at], abs=1e-6)
    assert max(waits) > 0.02


async def test_time_that_goes_backwards_does_not_wait(making: SimpleNamespace, rows: list, tmp_path: Path) -> None:
    path = tmp_path / "back.btsnoop"
    path.write_bytes(making.CONTAINERS["btsnoop-h4"](rows[::-1]))
    async with asyncio.timeout(5):
        frames = await replayed(CaptureSource(str(path), speed=1.0))
    assert len(frames) == sum(row.payload is not None for row in rows)


@pytest.mark.parametrize("text", ["x?speed=0", "x?speed=fast", "x?speed=-1", "x?speed=nan", "x?pace=3", "", "?speed=1"])
def test_a_wrong_source_string_says_how_to_write_it(text: str) -> None:
    with pytest.raises(ConfigError, match="speed"):
        CaptureSource.from_text(text)


async def test_a_missing_file_is_a_capture_error(tmp_path: Path) -> None:
    with pytest.raises(CaptureError, match="No such file"):
        await replayed(CaptureSource(str(tmp_path / "none")))
    with pytest.raises(CaptureError, match="No such file"):
        list(read_frames(tmp_path / "none"))
    with pytest.raises(CaptureError, match="directory"):
        list(read_frames(tmp_path))


async def test_damage_is_told_with_path_and_place(making: SimpleNamespace, rows: list, tmp_path: Path) -> None:
    data = making.CONTAINERS["btsnoop-h4"](rows)
    # The event claims one parameter more than it has, in the second record; the last record is cut.
    second = 16 + 24 + len(making.event(rows[0]))
    damaged = bytearray(data[:-3])
    damaged[second + 24 + 2] += 1
    path = tmp_path / "damaged"
    path.write_bytes(bytes(damaged))
    problems: list[CaptureError] = []
    counters = CaptureCounters()
    frames: list[Frame] = []
    with pytest.raises(CaptureError, match="middle of a packet") as caught:
        frames.extend(read_frames(path, on_problem=problems.append, counters=counters))
    assert caught.value.path == str(path)
    assert caught.value.offset == len(data) - 24 - len(making.event(rows[-1]))
    assert [(problem.path, problem.offset) for problem in problems] == [(str(path), second)]
    assert counters.problems == 1
    assert counters.packets == len(rows) - 1
    source = CaptureSource(str(path))
    heard: list[Frame] = []
    async with source:
        with pytest.raises(CaptureError, match="middle of a packet"):
            heard.extend([frame async for frame in kept(source, heard)])
    assert len(heard) == sum(row.payload is not None for row in rows[:-1]) - (rows[1].payload is not None)
    assert source.counters == counters


@pytest.mark.parametrize("read", ["frames", "transcript"])
def test_what_stands_near_damage_is_not_checked(making: SimpleNamespace, tmp_path: Path, read: str) -> None:
    rows = making.heard(400)
    data = bytearray(making.CONTAINERS["btsnoop-h4"](rows))
    assert len(data) > 10 * REACH
    place = data.index(b"\x00\x00\x00", len(data) // 2)
    data[place : place + 8] = b"\xee" * 8
    path = tmp_path / "damaged"
    path.write_bytes(bytes(data))
    problems: list[CaptureError] = []
    if read == "frames":
        frames = list(read_frames(path, on_problem=problems.append))
    else:
        transcript = Transcript("capture:x")
        told = read_packets(iter([bytes(data[:9000]), bytes(data[9000:])]), transcript.problems.append)
        frames = []
        for packets in told:
            frames += [frame for frame, _ in transcript.feed(packets) if frame is not None]
            problems += transcript.problems
            transcript.problems.clear()
    assert problems
    unchecked = [number for number, frame in enumerate(frames) if not frame.checked]
    assert 0 < len(unchecked) < len(frames) // 2
    assert unchecked == list(range(unchecked[0], unchecked[-1] + 1))
    sound = making.CONTAINERS["btsnoop-h4"](rows)
    path.write_bytes(sound)
    assert all(frame.checked for frame in read_frames(path))


def test_progress_ends_at_the_size(capture: Path) -> None:
    seen: list[tuple[int, int | None]] = []
    list(read_frames(capture, on_progress=lambda done, total: seen.append((done, total))))
    assert seen[-1] == (capture.stat().st_size, capture.stat().st_size)


@pytest.mark.parametrize("size", [1, 10, 4096])
def test_gzip_is_seen_through(making: SimpleNamespace, rows: list, container: str, size: int) -> None:
    plain = making.CONTAINERS[container](rows)
    # Two members, as two logs joined with cat, and the padding tape drives leave.
    packed = gzip.compress(plain[:500]) + gzip.compress(plain[500:]) + bytes(100)
    gunzip = Gunzip("x")
    pieces = [piece for start in range(0, len(packed), size) for piece in gunzip.feed(packed[start : start + size])]
    assert b"".join([*pieces, *gunzip.finish()]) == plain


def test_gzipped_captures_and_recordings_give_the_same_frames(capture: Path, tmp_path: Path) -> None:
    frames = list(read_frames(capture, origin="x"))
    packed = tmp_path / "drive.gz"
    packed.write_bytes(gzip.compress(capture.read_bytes()))
    assert list(read_frames(packed, origin="x")) == frames
    packed.write_bytes(gzip.compress(b"".join(map(encode_frame, frames))))
    assert list(read_frames(packed)) == frames


@pytest.mark.parametrize("damage", ["cut", "flipped"])
def test_damaged_gzip_gives_what_it_holds_and_an_error(capture: Path, tmp_path: Path, damage: str) -> None:
    packed = bytearray(gzip.compress(capture.read_bytes()))
    if damage == "cut":
        del packed[-20:]
    else:
        packed[len(packed) // 2 :] = bytes(200)
    path = tmp_path / "damaged.gz"
    path.write_bytes(bytes(packed))
    with pytest.raises(CaptureError, match="gzip") as caught:
        list(read_frames(path))
    assert caught.value.path == str(path)


def test_a_decompression_bomb_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bomb.gz"
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(b"{")
        for _ in range(80):
            file.write(bytes(1 << 20))
    with pytest.raises(CaptureError, match="bomb"):
        list(read_frames(path))


@pytest.mark.parametrize("content", [b"", b"\x1f", b"{", b"no capture at all, but a text", b"\x1f\x8b", b"\n\n\n"])
def test_what_is_no_capture_says_so(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "what"
    path.write_bytes(content)
    with pytest.raises(CaptureError) as caught:
        list(read_frames(path))
    assert str(path) in str(caught.value)


READ_STANDARD_INPUT = """
import asyncio, sys
from bluewatt.transports.capture.source import CaptureSource
from bluewatt.transports.capture.frames import read_frames
async def main():
    async with CaptureSource("-") as source:
        return [frame async for frame in source]
frames = list(read_frames("-")) if sys.argv[1] == "plain" else asyncio.run(main())
print(len(frames), frames[0].origin)
"""


@pytest.mark.parametrize("way", ["plain", "async"])
@pytest.mark.parametrize("piped", [True, False], ids=["pipe", "file"])
def test_standard_input_is_read(capture: Path, rows: list, way: str, piped: bool) -> None:
    command = [sys.executable, "-c", READ_STANDARD_INPUT, way]
    with capture.open("rb") as file:
        given = {"input": file.read()} if piped else {"stdin": file}
        done = subprocess.run(command, capture_output=True, check=True, **given)
    count = sum(row.payload is not None for row in rows)
    assert done.stdout.decode().split() == [str(count), "capture:-"]


async def test_a_live_pipe_is_followed_without_holding_up_the_loop(
    making: SimpleNamespace, rows: list, tmp_path: Path
) -> None:
    path = tmp_path / "live"
    os.mkfifo(path)
    data = making.CONTAINERS["pcap-201"](rows)
    keep = os.open(path, os.O_RDWR)
    async with CaptureSource(str(path)) as source, asyncio.timeout(10):
        stream: AsyncIterator[Frame] = aiter(source)
        waiting = asyncio.ensure_future(anext(stream))
        await asyncio.sleep(0.05)
        assert not waiting.done()
        os.write(keep, data[:2000])
        assert (await waiting).payload == rows[0].payload
    os.close(keep)


def test_a_frame_survives_its_line() -> None:
    frame = Frame(1_795_000_000.123456, "ble:hci0", "advertisement", "AA:BB:CC:DD:EE:FF", b"\x10\x02", -65, "Café ☼")
    assert parse_frame(encode_frame(frame)) == frame
    bare = Frame(1.0, "virtual:", "advertisement", "AA:BB:CC:DD:EE:FF", b"", None, None)
    assert parse_frame(encode_frame(bare)) == bare


REST = '"source":"x","medium":"advertisement","address":"AA:BB:CC:DD:EE:FF","payload":"10"'


def test_a_line_says_when_its_frame_is_not_checked() -> None:
    frame = Frame(5.0, "ble:hci0", "advertisement", "AA:BB:CC:DD:EE:FF", b"\x10", -60, None, False)
    assert b'"checked":false' in encode_frame(frame)
    assert parse_frame(encode_frame(frame)) == frame
    checked = encode_frame(replace(frame, checked=True))
    assert b"checked" not in checked
    assert parse_frame(checked).checked


def test_a_line_may_give_its_time_in_words() -> None:
    line = f'{{"at":"2026-11-20T18:00:00.250Z",{REST}}}'.encode()
    assert parse_frame(line).at == 1795197600.25


@pytest.mark.parametrize(
    "line",
    [
        f'{{"at":1e20,{REST}}}',
        f'{{"at":-1e20,{REST}}}',
        f'{{"at":1,"rssi":1000,{REST}}}',
        f'{{"at":1,{REST}}}'.replace("AA:BB", r"\u001b[2J"),
    ],
    ids=["no calendar's time", "before the calendar", "no signal strength", "no address"],
)
def test_a_line_with_impossible_numbers_is_none_of_a_recording(line: str) -> None:
    with pytest.raises(CaptureError, match="not a line of a recording"):
        parse_frame(line.encode())


def test_a_recording_is_read_back(capture: Path, tmp_path: Path) -> None:
    frames = list(read_frames(capture))
    path = tmp_path / "drive.jsonl"
    with FrameRecorder.open(path) as recorder:
        for frame in frames:
            recorder.write(frame)
    assert recorder.count == len(frames)
    assert list(read_frames(path)) == frames
    with FrameRecorder.open(path) as recorder:
        recorder.write(frames[0])
    assert list(read_frames(path)) == [*frames, frames[0]]


def test_a_bad_line_is_told_and_passed_over(capture: Path, tmp_path: Path) -> None:
    lines = [encode_frame(frame) for frame in itertools.islice(read_frames(capture), 4)]
    bad = [b'{"at": 1}\n', b"null\n", b'{"at":1,"source":"","medium":"","address":"","payload":"xyz"}\n', b"\xff\n"]
    path = tmp_path / "bad.jsonl"
    path.write_bytes(b"".join(itertools.chain(*zip(lines, bad, strict=True))) + b"\n" + lines[0].strip())
    problems: list[CaptureError] = []
    assert len(list(read_frames(path, on_problem=problems.append))) == 5
    assert [problem.offset for problem in problems] == [
        sum(map(len, [*lines[: number + 1], *bad[:number]])) for number in range(4)
    ]


def test_lines_of_something_else_are_no_recording(tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    path.write_text('{"theme": "dark"}\n{"size": 3}\n')
    with pytest.raises(CaptureError, match="recording"):
        list(read_frames(path))


def test_a_cut_recording_gives_its_whole_lines_first(capture: Path, tmp_path: Path) -> None:
    lines = [encode_frame(frame) for frame in itertools.islice(read_frames(capture), 4)]
    path = tmp_path / "cut.jsonl"
    path.write_bytes(b"".join(lines)[:-10])
    frames: list[Frame] = []
    with pytest.raises(CaptureError) as caught:
        frames.extend(read_frames(path))
    assert caught.value.offset == sum(map(len, lines[:3]))
    reader = FrameReader("x")
    assert len(reader.feed(path.read_bytes())) == 3


def test_a_recording_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    with pytest.raises(CaptureError, match="cannot write"):
        FrameRecorder.open(tmp_path / "no" / "such")

    class Full(io.BytesIO):
        def write(self, _: object) -> int:
            raise OSError(28, "No space left on device")

    with pytest.raises(CaptureError, match=r"drive\.jsonl cannot go on: No space"):
        FrameRecorder(Full(), "drive.jsonl").write(Frame(1.0, "x", "advertisement", "A", b""))


def test_a_file_of_another_kind_is_not_appended_to(capture: Path) -> None:
    before = capture.read_bytes()
    with pytest.raises(CaptureError, match=f"{capture.name} is no recording"):
        FrameRecorder.open(capture)
    assert capture.read_bytes() == before


def test_a_recording_cut_in_a_line_goes_on_in_the_next(capture: Path, tmp_path: Path) -> None:
    frames = list(itertools.islice(read_frames(capture), 3))
    path = tmp_path / "cut.jsonl"
    path.write_bytes(b"".join(map(encode_frame, frames[:2]))[:-10])
    with FrameRecorder.open(path) as recorder:
        recorder.write(frames[2])
    assert list(read_frames(path)) == [frames[0], frames[2]]


@pytest.mark.parametrize(("container", "megabytes"), [("btsnoop-h4", 20), ("pcapng-201", 6), ("jsonl", 20)])
def test_memory_does_not_grow_with_the_file(
    making: SimpleNamespace, rows: list, tmp_path: Path, container: str, megabytes: int
) -> None:
    path = tmp_path / "long"
    if container == "jsonl":
        small = tmp_path / "small"
        small.write_bytes(making.CONTAINERS["btsnoop-h4"](rows))
        piece, head = b"".join(encode_frame(frame) for frame in read_frames(small)), b""
    else:
        head = making.CONTAINERS[container]([])
        piece = making.CONTAINERS[container](rows)[len(head) :]
    with path.open("wb") as file:
        file.write(head)
        for _ in range((megabytes << 20) // len(piece)):
            file.write(piece)
    tracemalloc.start()
    try:
        count = sum(1 for _ in read_frames(path))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert count > 4_000 * megabytes
    assert peak < 2 << 20
    assert peak < path.stat().st_size / 2
