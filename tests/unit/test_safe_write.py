"""The one way in which files are written: nothing of the user's is lost, and nothing half done stays."""

from __future__ import annotations

import os
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from bluewatt.errors import CaptureError
from bluewatt.safe_write import (
    LineFile,
    SafeFile,
    holds_something,
    refuse_reading,
    replace_file,
    same_file,
    write_whole,
)

DISK = 64 * 1024


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 64 KiB, which a test can fill."""
    place = tmp_path / "disk"
    place.mkdir()
    try:
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", str(place)], capture_output=True
        )
    except FileNotFoundError:
        pytest.skip("no mount here, so no disk that can be filled")
    if mounted.returncode:
        pytest.skip("no disk can be mounted here (that takes root), so none can be filled")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_nothing_is_made_before_the_first_byte(tmp_path: Path) -> None:
    for live in (False, True):
        file = SafeFile(tmp_path / "new", live=live)
        assert files(tmp_path) == []
        file.keep()
        assert files(tmp_path) == []


@pytest.mark.parametrize("live", [False, True])
def test_the_old_file_stands_until_the_new_one_is_whole(tmp_path: Path, live: bool) -> None:
    path = tmp_path / "report"
    path.write_bytes(b"old")
    path.chmod(0o640)
    file = SafeFile(path, live=live)
    file.write(b"new")
    assert path.read_bytes() == b"old"
    file.keep()
    assert (path.read_bytes(), mode(path), files(tmp_path)) == (b"new", 0o640, ["report"])


@pytest.mark.parametrize("live", [False, True])
def test_what_is_dropped_leaves_the_old_file_and_nothing_else(tmp_path: Path, live: bool) -> None:
    path = tmp_path / "report"
    path.write_bytes(b"old")
    file = SafeFile(path, live=live)
    file.write(b"new")
    file.drop()
    assert (path.read_bytes(), files(tmp_path)) == (b"old", ["report"])


def test_a_live_file_where_nothing_stood_holds_each_write_at_once(tmp_path: Path) -> None:
    path = tmp_path / "capture"
    file = SafeFile(path, live=True)
    for count in range(1, 4):
        file.write(b"record")
        assert path.read_bytes() == b"record" * count
    file.drop()  # as if the program had been killed
    assert path.read_bytes() == b"record" * 3


def test_a_live_file_that_somebody_else_made_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "capture"
    file = SafeFile(path, live=True)
    path.write_bytes(b"theirs")
    file.write(b"ours")
    file.drop()
    assert path.read_bytes() == b"theirs"


def test_a_link_stays_and_the_file_it_leads_to_is_replaced(tmp_path: Path) -> None:
    real, link = tmp_path / "real", tmp_path / "link"
    real.write_bytes(b"old")
    link.symlink_to(real)
    file = SafeFile(link)
    file.write(b"new")
    file.keep()
    assert link.is_symlink()
    replace_file(link, b"newer")
    assert (link.is_symlink(), real.read_bytes()) == (True, b"newer")


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX")
@pytest.mark.parametrize("live", [False, True])
def test_secrets_are_their_owners_alone_from_the_first_byte(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, live: bool
) -> None:
    monkeypatch.setattr(os, "chmod", lambda *_: pytest.fail("made for everybody first"))
    for old in (None, 0o644):
        path = tmp_path / f"keys {old}"
        if old:
            path.touch(mode=old)
        before = os.umask(0)
        try:
            file = SafeFile(path, private=True, live=live)
            file.write(b"secret" * 10_000)  # more than waits in memory
            assert {mode(one) for one in tmp_path.iterdir() if one.stat().st_size} == {0o600}
            file.keep()
        finally:
            os.umask(before)
        assert (path.stat().st_size, mode(path)) == (60_000, 0o600)


def test_a_full_disk_leaves_the_old_file_and_no_rest(small_disk: Path) -> None:
    path = small_disk / "report"
    path.write_bytes(b"old")
    file = SafeFile(path)
    with pytest.raises(CaptureError, match=r"cannot write .*report: No space left on device"):  # noqa: PT012
        for _ in range(64):
            file.write(bytes(4096))
        file.keep()
    file.drop()
    assert (path.read_bytes(), files(small_disk)) == (b"old", ["report"])


def test_a_full_disk_ends_a_live_file_after_its_last_whole_record(small_disk: Path) -> None:
    path, record = small_disk / "capture", b"x" * 3000
    file = SafeFile(path, live=True)
    with pytest.raises(CaptureError, match=r"what was recorded before is in .*capture$"):  # noqa: PT012
        for _ in range(64):
            file.write(record)
    file.keep()
    assert (len(path.read_bytes()) % len(record), files(small_disk)) == (0, ["capture"])
    assert path.stat().st_size > DISK / 2


def test_a_live_file_on_a_full_disk_replaces_nothing_and_says_where_it_is(small_disk: Path) -> None:
    path = small_disk / "capture"
    path.write_bytes(b"old")
    file = SafeFile(path, live=True)
    with pytest.raises(CaptureError) as told:  # noqa: PT012
        for _ in range(64):
            file.write(b"x" * 3000)
    file.keep()
    left = Path(str(told.value).rpartition(" is in ")[2])
    assert (path.read_bytes(), left.parent, left.stat().st_size % 3000) == (b"old", small_disk, 0)


def test_no_empty_file_is_left_where_the_disk_was_full_from_the_start(small_disk: Path) -> None:
    (small_disk / "rest").write_bytes(bytes(DISK))
    file = SafeFile(small_disk / "capture", live=True)
    with pytest.raises(CaptureError, match="No space"):
        file.write(b"record")
    file.drop()
    with pytest.raises(OSError, match="No space"):
        replace_file(small_disk / "keys", b"secret")
    assert files(small_disk) == ["rest"]


def test_a_line_that_does_not_fit_is_not_begun(small_disk: Path) -> None:
    path, line = small_disk / "drive.jsonl", b"x" * 2999 + b"\n"
    file = LineFile(path)
    with pytest.raises(OSError, match="No space"):  # noqa: PT012
        for _ in range(64):
            file.write(line)
    file.close()
    assert path.read_bytes().count(line) * len(line) == path.stat().st_size > 0


def test_a_torn_last_line_is_ended_before_the_next(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    for content, expected in ((b"one\ntw", b"one\ntw\nnew\n"), (b"one\n", b"one\nnew\n"), (b"", b"new\n")):
        path.write_bytes(content)
        file = LineFile(path)
        assert path.read_bytes() == content
        file.write(b"new\n")
        file.close()
        assert path.read_bytes() == expected


def test_a_write_that_takes_a_part_is_gone_on_with(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    written = os.write
    monkeypatch.setattr(os, "write", lambda handle, data: written(handle, data[:3]))
    with (tmp_path / "file").open("wb") as file:
        write_whole(file.fileno(), b"0123456789")
    assert (tmp_path / "file").read_bytes() == b"0123456789"


def test_one_file_is_known_by_all_its_names(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.write_bytes(b"x")
    other.write_bytes(b"x")
    hard, soft = tmp_path / "hard", tmp_path / "soft"
    hard.hardlink_to(one)
    soft.symlink_to(hard)
    for name in (one, hard, soft, tmp_path / "." / "one"):
        assert same_file(name, one)
        with pytest.raises(CaptureError, match="is the file that is read"):
            refuse_reading(name, [other, one])
    assert not same_file(one, other)
    assert not same_file(tmp_path / "none", tmp_path / "none")
    assert not same_file("/dev/null", "/dev/null")  # nothing to lose
    refuse_reading(one, [other])


def test_pipes_and_devices_are_written_to_as_they_are(tmp_path: Path) -> None:
    for live in (False, True):
        file = SafeFile("/dev/null", live=live)
        file.write(b"gone")
        file.keep()
    assert not holds_something("/dev/null")
    with pytest.raises(CaptureError, match="No space"):  # noqa: PT012
        full = SafeFile("/dev/full")
        full.write(b"x")
        full.keep()
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    file = SafeFile(fifo, live=True)
    file.write(b"through")
    assert os.read(reader, 99) == b"through"
    file.keep()
    os.close(reader)
    assert files(tmp_path) == ["fifo"]


def test_a_folder_that_is_not_there_is_told_before_anything_is_done(tmp_path: Path) -> None:
    with pytest.raises(CaptureError, match="there is no folder"):
        SafeFile(tmp_path / "no" / "such")
    (tmp_path / "file").touch()
    with pytest.raises(CaptureError, match="Not a directory"):
        holds_something(tmp_path / "file" / "x")
