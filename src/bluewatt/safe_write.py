"""Writing files so that nothing of the user's is lost: the one way in which Bluewatt writes any file.

Theory of operation. A file that replaces another is written beside it, under a name of its own, and renamed when it is
whole: a full disk, a crash or Ctrl-C leaves the old file as it was and nothing beside it. Nothing is made before the
first byte is there. What is recorded for hours (`live`) is written at once instead, into the file itself where nothing
stood before, so that even a power cut leaves what was recorded; a disk that fills up ends it after the last whole
write. A file of secrets has mode 0600 from its first byte. Links are followed: the file they lead to is written, the
link stays.

Pipes and devices (`/dev/stdout`) are written to as they are.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Protocol, runtime_checkable

from bluewatt.errors import CaptureError

OWNER_ONLY = 0o600
"""The mode of files with secrets."""

_EVERYBODY = 0o666  # less what the umask takes away
_BINARY = getattr(os, "O_BINARY", 0)  # Windows


class Writable(Protocol):
    """Anything that takes bytes: a file, standard output, a `SafeFile`."""

    def write(self, data: bytes, /) -> object:
        """Take all of the bytes, or raise."""

    def flush(self) -> object:
        """Write what waits in memory."""


@runtime_checkable
class Closable(Protocol):
    """Anything that is closed after the last write."""

    def close(self) -> None:
        """Close it."""


def same_file(one: str | Path, other: str | Path | int) -> bool:
    """Return whether two paths lead to one regular file, by whatever links; a number is an open file."""
    try:
        first, second = os.stat(one), os.stat(other)
    except (OSError, ValueError):
        return False
    return stat.S_ISREG(first.st_mode) and os.path.samestat(first, second)


def refuse_reading(output: str | Path, read: Iterable[str | Path]) -> None:
    """Raise CaptureError if a file to write is one of those that are `read`: it would lose what it holds."""
    if any(same_file(output, one) for one in read):
        raise CaptureError(f"{output} is the file that is read: name another one to write", path=str(output))


def holds_something(path: str | Path) -> bool:
    """Return whether a regular file with content is at a path; raises CaptureError if that cannot be found out."""
    try:
        status = os.stat(path)
    except FileNotFoundError:
        return False
    except (OSError, ValueError) as error:
        raise CaptureError(f"cannot write {path}: {_reason(error)}", path=str(path)) from error
    return stat.S_ISREG(status.st_mode) and status.st_size > 0


def check_folder(path: str | Path) -> None:
    """Raise CaptureError if no file can be made in the folder of a path: said before anything is begun."""
    folder = Path(os.path.realpath(path)).parent
    if not folder.is_dir():
        raise CaptureError(f"cannot write {path}: there is no folder {folder}", path=str(path))
    if not os.access(folder, os.W_OK | os.X_OK):
        raise CaptureError(f"cannot write {path}: the folder {folder} may not be written to", path=str(path))


def replace_file(path: Path, content: bytes, *, private: bool = False) -> None:
    """Write a small file whole, so that its old content or the new one is there at any moment; raises OSError."""
    fresh = _Beside(Path(os.path.realpath(path)), private=private)
    try:
        with open(fresh.open(), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        fresh.path.replace(fresh.target)
    except BaseException:
        fresh.path.unlink(missing_ok=True)
        raise


def write_whole(handle: int, data: bytes) -> None:
    """Write all of `data`; if the disk fills up, take back what was written of it and raise OSError.

    A write may take a part only. What cannot be taken back (a pipe) stays torn.
    """
    done = 0
    try:
        while done < len(data):
            done += os.write(handle, data[done:] if done else data)
    except OSError:
        _take_back(handle, done)
        raise


def _take_back(handle: int, count: int) -> None:
    status = os.fstat(handle)
    if count and stat.S_ISREG(status.st_mode):
        os.truncate(handle, status.st_size - count)
        os.lseek(handle, 0, os.SEEK_END)


class _Beside:
    """A new file in the folder of another, with its mode; its name is known before it is made, so it can be removed."""

    def __init__(self, target: Path, *, private: bool) -> None:
        self.target = target
        self.path = target.with_name(f".bluewatt-{os.urandom(6).hex()}")
        self._private = private

    def open(self) -> int:
        """Make the file and return its handle."""
        mode = None if self._private else _mode_of(self.target)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BINARY
        handle = os.open(self.path, flags, _EVERYBODY if mode is None and not self._private else OWNER_ONLY)
        if mode is not None:
            os.chmod(self.path, mode)
        return handle


def _mode_of(target: Path) -> int | None:
    try:
        return stat.S_IMODE(target.stat().st_mode)
    except FileNotFoundError:
        return None


class SafeFile:
    """A file that is written as the theory of operation says; close it with `keep` or `drop`.

    Making one checks that the folder can be written, no more. `live` writes each piece at once; else pieces wait in
    memory. All methods raise CaptureError if the file cannot be written, BrokenPipeError if it is a pipe without a
    reader.
    """

    def __init__(self, path: str | Path, *, private: bool = False, live: bool = False) -> None:
        self.path = Path(path)
        self._target = Path(os.path.realpath(self.path))
        self._private = private
        self._live = live
        self._beside: _Beside | None = None
        self._file: BinaryIO | None = None
        self._made = False
        self._failed = False
        if self._is_ordinary():
            check_folder(self.path)

    def write(self, data: bytes) -> int:
        """Write `data`, whole or not at all."""
        try:
            file = self._file or self._begin()
            if self._live:
                write_whole(file.fileno(), data)
            else:
                file.write(data)
        except OSError as error:
            raise self._write_error(error) from error
        return len(data)

    def flush(self) -> None:
        """Do nothing: `keep` writes what waits, and live files have nothing waiting."""

    def path_to_write(self) -> Path:
        """Return the name of the file beside, made now, for a library that opens it itself."""
        try:
            self._begin()
        except OSError as error:
            raise self._write_error(error) from error
        return self._beside.path if self._beside else self._target

    def keep(self) -> None:
        """Finish: what was written is the file now. After a failed write it is dropped."""
        if self._file is None or self._failed:
            self.drop()
            return
        try:
            self._settle(self._file)
            if self._beside:
                self._beside.path.replace(self._target)
                self._beside = None
        except OSError as error:
            raise self._write_error(error) from error
        finally:
            self.drop()

    def drop(self) -> None:
        """Leave what was there before as it was; a live file that is new keeps its whole writes."""
        if self._file is not None:
            file, self._file = self._file, None
            with suppress(OSError):  # what waited in memory is not wanted any more
                file.close()
            if self._made and not self._target.stat().st_size:
                self._target.unlink()
        if self._beside and not self._left_beside():
            self._beside.path.unlink(missing_ok=True)
        self._beside = None

    def _left_beside(self) -> bool:
        """Return whether the file beside holds a recording that the disk ended; its name was given to the user."""
        return self._live and self._failed

    def _settle(self, file: BinaryIO) -> None:
        file.flush()
        if _is_regular(file.fileno()):
            os.fsync(file.fileno())
        file.close()

    def _is_ordinary(self) -> bool:
        """Return whether a regular file is to be there, not a pipe or a device."""
        return not self._target.exists() or self._target.is_file()

    def _begin(self) -> BinaryIO:
        if not self._is_ordinary():
            handle = os.open(self._target, os.O_WRONLY | _BINARY)
        elif self._live and not self._target.exists():
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BINARY
            handle = os.open(self._target, flags, OWNER_ONLY if self._private else _EVERYBODY)
            self._made = True
        else:
            self._beside = _Beside(self._target, private=self._private)
            handle = self._beside.open()
        self._file = open(handle, "wb", buffering=0 if self._live else -1)  # noqa: SIM115
        return self._file

    def _write_error(self, error: OSError) -> Exception:
        if isinstance(error, BrokenPipeError):
            return error
        self._failed = True
        what = f"cannot write {self.path}: {_reason(error)}"
        if self._live and self._file is not None and self._is_ordinary():
            left = self._beside.path if self._beside else self.path
            what += f"; what was recorded before is in {left}"
        return CaptureError(what, path=str(self.path))


def _is_regular(handle: int) -> bool:
    return stat.S_ISREG(os.fstat(handle).st_mode)


def _reason(error: OSError | ValueError) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


class LineFile:
    """A file of lines that is appended to, made with the first one; a line without an end is ended first.

    Raises OSError. A line is written whole or, if the disk fills up, not at all. With `sync` it is on the disk when
    `write` returns.
    """

    def __init__(self, path: str | Path, *, private: bool = False, sync: bool = False) -> None:
        self.path = Path(path)
        self._mode = OWNER_ONLY if private else _EVERYBODY
        self._sync = sync
        self._handle: int | None = None

    def write(self, line: bytes) -> int:
        """Append one line, its end included."""
        if self._handle is None:
            flags = os.O_WRONLY if self._is_pipe() else os.O_RDWR | os.O_CREAT
            self._handle = os.open(self.path, flags | os.O_APPEND | _BINARY, self._mode)
            line = self._end_of_torn_line(self._handle) + line
        write_whole(self._handle, line)
        if self._sync:
            os.fsync(self._handle)
        return len(line)

    def flush(self) -> None:
        """Do nothing: each line is written at once."""

    def close(self) -> None:
        """Close the file, if it was ever opened."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    def _is_pipe(self) -> bool:
        return self.path.exists() and not self.path.is_file()

    @staticmethod
    def _end_of_torn_line(handle: int) -> bytes:
        if not _is_regular(handle) or not (size := os.fstat(handle).st_size):
            return b""
        os.lseek(handle, size - 1, os.SEEK_SET)
        return b"" if os.read(handle, 1) == b"\n" else b"\n"
