"""The audit file: every write to a device, before it is sent and after. JSON Lines, appended, its owner's alone.

Before a write a row "intent" is on the disk, after it a row "result" with the same `id`. A crash between the two leaves
an intent without a result, which is the truth: it may have been written. The caller that cannot write a row says
what that means: before the write nothing is changed, after it the change stands.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec

from bluewatt.errors import ConfigError
from bluewatt.safe_write import LineFile


class AuditRecord(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One row of the file."""

    at: float
    """POSIX seconds."""
    id: str
    """An identifier that an intent shares with its result."""
    event: str
    """"intent" or "result"."""
    device: str
    """The address."""
    name: str = ""
    control: str = ""
    register: str = ""
    instance: int = 0
    old: str | None = None
    """The content before, hex digits; None if it could not be read."""
    new: str = ""
    outcome: str = ""
    """Only in a result: "done", "refused", "differs", "unknown"."""
    read_back: str | None = None
    detail: str = ""
    undoes: str = ""
    """The id of the change that this one undoes."""


class AuditedChange(msgspec.Struct, frozen=True):
    """An intent with its result, if it has one."""

    intent: AuditRecord
    result: AuditRecord | None

    @property
    def may_hold(self) -> bool:
        """Whether the device may hold the new value: yes unless it refused."""
        return self.result is None or self.result.outcome != "refused"

    def is_of(self, device: str) -> bool:
        """Return whether the change is of a device, by address or by part of its name."""
        wanted = device.casefold()
        return wanted == self.intent.device.casefold() or wanted in self.intent.name.casefold()


class Audit:
    """The audit file at a path; it is created with the first row."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, entry: AuditRecord) -> None:
        """Write a row to the disk; ConfigError if that is impossible."""
        line = msgspec.json.encode(entry) + b"\n"
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with closing(LineFile(self.path, private=True, sync=True)) as file:
                file.write(line)
        except OSError as error:
            raise ConfigError(
                f"the audit file {self.path} cannot be written: {error.strerror}", path=str(self.path)
            ) from error

    def entries(self) -> Iterator[AuditRecord]:
        """Return all rows that can be read, oldest first."""
        try:
            lines = self.path.read_bytes().splitlines()
        except FileNotFoundError:
            return
        except OSError as error:
            raise ConfigError(
                f"the audit file {self.path} cannot be read: {error.strerror}", path=str(self.path)
            ) from error
        for line in lines:
            try:
                yield msgspec.json.decode(line, type=AuditRecord)
            except msgspec.DecodeError:
                continue

    def all_changes(self) -> list[AuditedChange]:
        """Return the changes of all devices, oldest first."""
        intents: dict[str, AuditRecord] = {}
        results: dict[str, AuditRecord] = {}
        for entry in self.entries():
            (intents if entry.event == "intent" else results)[entry.id] = entry
        return [AuditedChange(intent, results.get(key)) for key, intent in intents.items()]

    def changes(self, device: str) -> list[AuditedChange]:
        """Return the changes of a device, by address, oldest first."""
        return [change for change in self.all_changes() if change.intent.device == device]

    def last_change(self, device: str) -> AuditedChange | None:
        """Return the newest change that can be undone: not refused, its old value known, and not undone yet."""
        changes = self.changes(device)
        undone = {change.intent.undoes for change in changes if change.result and change.result.outcome == "done"}
        open_ = [
            change
            for change in changes
            if change.may_hold
            and change.intent.old is not None
            and not change.intent.undoes
            and change.intent.id not in undone
        ]
        return open_[-1] if open_ else None

    def unfinished(self, device: str) -> AuditedChange | None:
        """Return the newest change of a device if it has no result: its outcome is unknown."""
        changes = self.changes(device)
        return changes[-1] if changes and changes[-1].result is None else None
