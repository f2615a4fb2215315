"""Keys from elsewhere: VictronConnect's own database on a desktop, and lists of `address@key`.

The database is SQLite: `advertisementKeys` has the key of each address, `macAddresses` the system's name of it, which
differs on macOS (protocol page instant-readout, section 5). It is opened read-only and never written.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from bluewatt.errors import ConfigError, KeyProblem
from bluewatt.model.keys import normal_address
from bluewatt.services.keys import NamedKey, parse_keys
from bluewatt.wire.cipher import Key

_SQLITE = b"SQLite format 3\0"
_KEYS = "SELECT macAddress, advertisementKey FROM advertisementKeys"
_NAMES = "SELECT macAddress, address FROM macAddresses"
_COMMENT = "#"


def read_key_list(path: Path) -> list[NamedKey]:
    """The keys of a file of either kind; a key without an address has None.

    ConfigError for a file that cannot be read or is neither, KeyProblem for an entry that is no key; no error repeats
    a key.
    """
    try:
        with path.open("rb") as file:
            head = file.read(len(_SQLITE))
        return list(_read_database(path) if head == _SQLITE else _read_list(path))
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}", path=str(path)) from error


def _read_list(path: Path) -> Iterator[NamedKey]:
    try:
        lines = [line.strip() for line in path.read_text("utf-8").splitlines()]
    except UnicodeDecodeError:
        raise ConfigError(
            f"{path} is neither VictronConnect's database nor a list of keys", path=str(path),
            hint="write a line per device: AA:BB:CC:DD:EE:FF@32 hex digits",
        ) from None  # fmt: skip
    yield from parse_keys((line for line in lines if line and not line.startswith(_COMMENT)), str(path))


def _read_database(path: Path) -> Iterator[NamedKey]:
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as database:
            keys = database.execute(_KEYS).fetchall()
            names = _names(database)
    except sqlite3.Error as error:
        raise ConfigError(
            f"{path} is not VictronConnect's database: {error}", path=str(path),
            hint="it has the tables advertisementKeys and macAddresses",
        ) from error  # fmt: skip
    for number, (address, key) in enumerate(keys, 1):
        try:
            found = Key.of(key)
            places = [normal_address(address), *map(normal_address, names.get(address, ()))]
        except KeyProblem:
            raise KeyProblem(f"{path}, key {number}: not an address with a key of 32 hex digits") from None
        yield from ((place, found) for place in dict.fromkeys(places))


def _names(database: sqlite3.Connection) -> dict[str, list[str]]:
    """The system's names of an address; none where the table is missing."""
    names: dict[str, list[str]] = {}
    try:
        for address, name in database.execute(_NAMES):
            if name:
                names.setdefault(address, []).append(name)
    except sqlite3.OperationalError:
        return {}
    return names
