"""Keys from other programs: VictronConnect's own database on a desktop, and lists of `address@key`.

The database is SQLite: `advertisementKeys` has the key of each address, `macAddresses` the system's name of it, which
differs on macOS (protocol page instant-readout, section 5); `networks` has a row per VE.Smart network with identifier,
key and name (page vesmart-networking, section 7: single source, which does not name the columns, so they are found by
their content). Either may be missing. The database is opened read-only and never written.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

from bluewatt.errors import ConfigError, KeyProblem
from bluewatt.model.keys import normal_address
from bluewatt.services.keys import NamedKey, parse_keys
from bluewatt.wire.instant_readout.cipher import Key
from bluewatt.wire.vesmart.broadcast import Network

_SQLITE = b"SQLite format 3\0"
_KEYS = "SELECT macAddress, advertisementKey FROM advertisementKeys"
_NAMES = "SELECT macAddress, address FROM macAddresses"
_NETWORKS = "SELECT * FROM networks"
_IDENTIFIER, _NETWORK_KEY = re.compile("(?:0x)?[0-9a-fA-F]{4}"), re.compile("(?:0x)?[0-9a-fA-F]{32}")
_COMMENT = "#"


class Imported(NamedTuple):
    """The keys and networks found in a file."""

    keys: list[NamedKey]
    """Keys with their addresses, None for a key without one."""
    networks: list[Network]


def read_key_list(path: Path) -> Imported:
    """Return the keys of a file of either kind, and the networks of a database.

    ConfigError for a file that cannot be read or is neither, KeyProblem for an entry that is no key; no error repeats
    a key.
    """
    try:
        with path.open("rb") as file:
            head = file.read(len(_SQLITE))
        return _read_database(path) if head == _SQLITE else Imported(list(_read_list(path)), [])
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


def _read_database(path: Path) -> Imported:
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as database:
            keys, networks = _rows(database, _KEYS), _rows(database, _NETWORKS)
            names = _names(database)
    except sqlite3.Error as error:
        raise _not_ours(path, str(error)) from error
    if keys is None and networks is None:
        raise _not_ours(path, "it has neither of its tables")
    return Imported(
        list(_device_keys(path, keys or [], names)),
        [_network(path, number, row) for number, row in enumerate(networks or [], 1)],
    )


def _not_ours(path: Path, why: str) -> ConfigError:
    hint = "it has the tables advertisementKeys, macAddresses and networks"
    return ConfigError(f"{path} is not VictronConnect's database: {why}", path=str(path), hint=hint)


def _rows(database: sqlite3.Connection, query: str) -> list[tuple[Any, ...]] | None:
    """Return what a query finds; None if its table is missing."""
    try:
        return database.execute(query).fetchall()
    except sqlite3.OperationalError as error:
        if "no such table" in str(error):
            return None
        raise


def _device_keys(path: Path, rows: list[tuple[Any, ...]], names: Mapping[str, list[str]]) -> Iterator[NamedKey]:
    for number, (address, key) in enumerate(rows, 1):
        try:
            found = Key.of(key)
            places = [normal_address(address), *map(normal_address, names.get(address, ()))]
        except (KeyProblem, AttributeError, TypeError):
            raise KeyProblem(f"{path}, key {number}: not an address with a key of 32 hex digits") from None
        yield from ((place, found) for place in dict.fromkeys(places))


def _network(path: Path, number: int, row: tuple[Any, ...]) -> Network:
    """Return the network of a row: four digits, 32 digits, and the text that is neither."""
    cells = [cell.hex() if isinstance(cell, bytes) else cell for cell in row]
    texts = [cell.strip() for cell in cells if isinstance(cell, str)]
    identifier = next(filter(_IDENTIFIER.fullmatch, texts), None)
    key = next(filter(_NETWORK_KEY.fullmatch, texts), None)
    if identifier is None or key is None:
        raise KeyProblem(f"{path}, network {number}: not an identifier of 4 hex digits with a key of 32")
    name = next((text for text in texts if text not in (identifier, key)), "")
    return Network.of(identifier.removeprefix("0x"), key, name)


def _names(database: sqlite3.Connection) -> dict[str, list[str]]:
    """Return the system's names of addresses; none if the table is missing."""
    names: dict[str, list[str]] = {}
    try:
        for address, name in database.execute(_NAMES):
            if name:
                names.setdefault(address, []).append(name)
    except sqlite3.OperationalError:
        return {}
    return names
