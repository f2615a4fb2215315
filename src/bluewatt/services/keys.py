"""Where keys come from: a file only its owner may read, the environment, the command line.

The file is TOML, one table per device, or a key alone::

    ["AA:BB:CC:DD:EE:FF"]
    key = "…"
    pin = "014916"            # typed when the device is paired, like one of pins.toml
    name = "SmartShunt"       # for you; the PIN counts for it, too

    "11:22:33:44:55:66" = "…"

    unassigned = ["…"]        # keys whose device is not known: tried on every device, proved by content

    [networks]                # keys of VE.Smart networks, by their four-digit identifier
    "1A2B" = "…"

Nothing in here, no error either, ever holds the text of a key.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from bluewatt.errors import ConfigError, KeyProblem
from bluewatt.folders import config_folder, refuse_shared_secrets
from bluewatt.model.keys import AnyKey, KeyRing, normal_address, parse_key_argument
from bluewatt.safe_write import replace_file
from bluewatt.secret import SecretText
from bluewatt.wire.instant_readout.cipher import Key, ShortKey, parse_key
from bluewatt.wire.vesmart.broadcast import Network

ENVIRONMENT = "BLUEWATT_KEYS"
"""Environment variable with keys, separated by commas: ADDRESS=KEY,ADDRESS=KEY or a key alone."""
KEYS_FILE = "BLUEWATT_KEYS_FILE"
"""Environment variable with another place for the key file."""

_UNASSIGNED = "unassigned"
_NETWORKS = "networks"
_DEVICE_NAMES = ("key", "pin", "name")
_NETWORK_NAMES = ("key", "name")
_ADDRESS_LENGTH = 17
_PIN = re.compile("[0-9]{6}")
_HEAD = "# The keys of your devices: secrets. Only you may read this file.\n"

NamedKey = tuple[str | None, Key | ShortKey]
"""A key with the address of its device, None if that is not known."""


def default_path(environ: Mapping[str, str] = os.environ) -> Path:
    """Return the default key file: $BLUEWATT_KEYS_FILE, else bluewatt/keys.toml in the configuration folder."""
    named = environ.get(KEYS_FILE)
    return Path(named) if named else config_folder(environ) / "keys.toml"


def _file_to_read(path: str | Path | None, environ: Mapping[str, str]) -> Path | None:
    """Return the key file, None if there is none at the default place; reading one that is named and missing raises."""
    file = Path(path) if path is not None else default_path(environ)
    return file if path is not None or environ.get(KEYS_FILE) or _exists(file) else None


def gather_keys(
    arguments: Iterable[str] = (), path: str | Path | None = None, environ: Mapping[str, str] = os.environ
) -> KeyRing:
    """Return the key ring of everything given; errors as for `named_keys`."""
    return ring_of(named_keys(arguments, path, environ))


def named_keys(
    arguments: Iterable[str] = (), path: str | Path | None = None, environ: Mapping[str, str] = os.environ
) -> list[NamedKey]:
    """Return all keys, lowest priority first: key file, environment, `arguments`.

    A file that is named, by `path` or by $BLUEWATT_KEYS_FILE, must be there. KeyProblem for a text that is no key,
    ConfigError for a file that cannot be read, may be read by others, or is not TOML.
    """
    file = _file_to_read(path, environ)
    named = [*(load_keys(file) if file is not None else ())]
    named += parse_keys(filter(None, environ.get(ENVIRONMENT, "").split(",")), ENVIRONMENT)
    return [*named, *parse_keys(arguments, "--key")]


def ring_of(named: Iterable[NamedKey]) -> KeyRing:
    """Return a key ring; of two keys for one device the later counts."""
    pairs = list(named)
    by_address: dict[str, AnyKey] = {address: key for address, key in pairs if address is not None}
    return KeyRing(by_address, loose=dict.fromkeys(key for address, key in pairs if address is None))


def parse_keys(texts: Iterable[str], origin: str) -> Iterator[NamedKey]:
    """Yield keys as people write them on a command line; errors name `origin` and which one, never the text."""
    for number, text in enumerate(texts, 1):
        yield _parsed(text, f"{origin}, number {number}")


def _parsed(text: str, place: str) -> NamedKey:
    try:
        return parse_key_argument(text)
    except KeyProblem as error:
        raise KeyProblem(f"{place}: {_unquoted(error)}") from None


def _unquoted(error: KeyProblem) -> str:
    """Return the message of an error without what it quotes as an address, which could be a key in the wrong place."""
    return re.sub(r"^(['\"]).*\1 is", "this is", str(error), flags=re.DOTALL)


def load_keys(path: Path) -> list[NamedKey]:
    """Yield the keys of a key file; errors as for `named_keys`."""
    named: list[NamedKey] = []
    for address, entry in _entries(path).items():
        if address == _NETWORKS:
            continue
        _known_names(path, address, entry, _DEVICE_NAMES)
        _pin(path, address, entry)
        keys = entry if address == _UNASSIGNED else [_key_text(entry)]
        for key in keys if isinstance(keys, list) else [keys]:
            named += _named(path, None if address == _UNASSIGNED else address, key)
    return named


def gather_pins(path: str | Path | None = None, environ: Mapping[str, str] = os.environ) -> dict[str, SecretText]:
    """Return the PINs of the key file by address, and by the name in the same table; errors as for `named_keys`."""
    pins: dict[str, SecretText] = {}
    file = _file_to_read(path, environ)
    for address, entry in (_entries(file) if file is not None else {}).items():
        pin = _pin(file, address, entry) if address != _NETWORKS else None
        if pin is not None:
            pins |= {address: pin} | ({entry["name"]: pin} if isinstance(entry.get("name"), str) else {})
    return pins


def _pin(path: Path | None, address: str, entry: Any) -> SecretText | None:
    """Return the PIN in the table of a device; ConfigError, which does not repeat it, for what is none."""
    pin = entry.get("pin") if isinstance(entry, dict) else None
    if pin is None:
        return None
    if not isinstance(pin, str) or not _PIN.fullmatch(pin):
        place = address if len(address) <= _ADDRESS_LENGTH else "an entry"
        raise ConfigError(
            f"{path}, {place}: the PIN is not a text of six digits", path=str(path),
            hint='write pin = "014916", with quotes: leading zeros get lost otherwise',
        )  # fmt: skip
    return SecretText(pin)


def key_file_names(path: str | Path | None = None, environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the names that the key file gives devices, by address; errors as `named_keys` has them."""
    file = _file_to_read(path, environ)
    names: dict[str, str] = {}
    for address, entry in (_entries(file) if file is not None else {}).items():
        if address not in (_UNASSIGNED, _NETWORKS) and isinstance(entry, dict) and isinstance(entry.get("name"), str):
            with suppress(KeyProblem):
                names[normal_address(address)] = entry["name"]
    return names


def gather_networks(path: str | Path | None = None, environ: Mapping[str, str] = os.environ) -> list[Network]:
    """Return the VE.Smart networks of the key file; errors as for `named_keys`."""
    file = _file_to_read(path, environ)
    return load_networks(file) if file is not None else []


def load_networks(path: Path) -> list[Network]:
    """Yield the networks of a key file: `"1A2B" = "…"` or a table with `key` and `name` under `networks`."""
    return [_network(path, name, entry) for name, entry in _networks(path).items()]


def _networks(path: Path) -> dict[str, Any]:
    found = _entries(path).get(_NETWORKS, {})
    if not isinstance(found, dict):
        raise ConfigError(f"{path}: networks is not a table", path=str(path), hint='write [networks] and "1A2B" = "…"')
    return found


def _network(path: Path, identifier: str, entry: Any) -> Network:
    key, name = _key_text(entry), entry.get("name", "") if isinstance(entry, dict) else ""
    place = f"{path}, network {identifier if len(identifier) <= 4 else 'entry'}"
    _known_names(path, f"network {identifier}", entry, _NETWORK_NAMES)
    if not isinstance(key, str) or not isinstance(name, str):
        raise ConfigError(f"{place}: the key is not a text", path=str(path), hint='write "1A2B" = "32 hex digits"')
    try:
        return Network.of(identifier, key, name)
    except KeyProblem as error:
        raise KeyProblem(f"{place}: {_unquoted(error)}") from None


def _known_names(path: Path, place: str, entry: Any, known: tuple[str, ...]) -> None:
    """Raise ConfigError for a table with an unknown entry: a misspelt one would be ignored in silence."""
    unknown = next((name for name in entry if name not in known), None) if isinstance(entry, dict) else None
    if unknown is not None:
        # What is longer than an address could be a key in the wrong place.
        where = place if len(place) <= _ADDRESS_LENGTH else "an entry"
        what = repr(unknown) if len(unknown) <= _ADDRESS_LENGTH else "a name"
        hint = f"there are: {', '.join(known)}"
        raise ConfigError(f"{path}, {where}: {what} is not known", path=str(path), hint=hint)


def _key_text(entry: Any) -> Any:
    return entry.get("key") if isinstance(entry, dict) else entry


def _named(path: Path, address: str | None, key: Any) -> Iterator[NamedKey]:
    place = f"{path}, {address if address and len(address) <= _ADDRESS_LENGTH else 'an entry'}"
    if key is None:
        return
    if not isinstance(key, str):
        raise ConfigError(f"{place}: the key is not a text", path=str(path), hint='write key = "32 hex digits"')
    try:
        yield (None if address is None else normal_address(address)), parse_key(key)
    except KeyProblem as error:
        raise KeyProblem(f"{place}: {_unquoted(error)}") from None


def save_key(address: str, key: Key | ShortKey, path: Path | None = None) -> Path:
    """Write a device's key into the key file (made, mode 0600, when missing) and return where.

    Comments, order and everything else in the file stay; a key that is replaced stays above the new one as a comment.
    A key that is there already, or of which `key` is a part, is left. The file is replaced as a whole, so that a power
    cut leaves the old one or the new one. Raises ConfigError if its layout allows no such change.
    """
    path, wanted = path or default_path(), normal_address(address)
    entries = _entries(path) if _exists(path) else {}
    name = next((one for one in entries if _same(one, wanted)), wanted)
    _save(path, entries.get(name), (name,), key, {})
    return path


def save_network(network: Network, path: Path | None = None) -> Path:
    """Write the key of a VE.Smart network into the key file, as `save_key` does, and return where.

    The name goes into a new entry only; the name in one that is there was chosen by its owner and stays.
    """
    path, wanted = path or default_path(), network.network_id.hex().upper()
    networks = _networks(path) if _exists(path) else {}
    name = next((one for one in networks if one.upper() == wanted), wanted)
    named = {"name": network.name} if network.name else {}
    _save(path, networks.get(name), (_NETWORKS, name), network.key, named)
    return path


def holds_other_key(address: str, key: Key | ShortKey, path: Path | None = None) -> bool:
    """Return whether the key file has another key for a device, which `save_key` would replace."""
    path, wanted = path or default_path(), normal_address(address)
    entries = _entries(path) if _exists(path) else {}
    old = _parsed_or_none(next((entry for name, entry in entries.items() if _same(name, wanted)), None))
    return old is not None and not (_covers(old, key) or _covers(key, old))


def _save(path: Path, entry: Any, place: tuple[str, ...], key: Key | ShortKey, more: Mapping[str, str]) -> None:
    """Write a key to a place of the file that holds `entry` now; `more` goes into a new table with it."""
    from bluewatt.services.toml_lines import NotFound, quoted, with_new_table, with_new_value, with_value  # reads TOML

    text, old, was = _text_of(path), _parsed_or_none(entry), _key_text(entry)
    if old is not None and _covers(old, key):
        return
    remark = "" if old is None or _covers(key, old) else f'replaced: key = "{was}"'
    try:
        if isinstance(was, str):
            at = (*place, "key") if isinstance(entry, dict) else place
            fresh = with_value(text, at, was, key.hex(), remark=remark)
        elif isinstance(entry, dict):
            fresh = with_new_value(text, place, "key", key.hex())
        else:
            fresh = with_new_table(text, place, {"key": key.hex()} | dict(more))
    except NotFound:
        hint = f'write it as a table of its own first: [{".".join(map(quoted, place))}] and key = "…"'
        raise ConfigError(
            f"the entry in the key file {path} cannot be changed as it is", path=str(path), hint=hint
        ) from None
    _replace(path, fresh)


def _covers(one: Key | ShortKey, other: Key | ShortKey) -> bool:
    """Return whether a key covers another: it is the same, or the other lacks its first digit."""
    if isinstance(one, Key) and isinstance(other, ShortKey):
        return other.complete(one[0]) == one
    return one == other


def _parsed_or_none(entry: Any) -> Key | ShortKey | None:
    text = _key_text(entry)
    with suppress(KeyProblem):
        return parse_key(text) if isinstance(text, str) else None
    return None


def _same(name: str, address: str) -> bool:
    with suppress(KeyProblem):
        return normal_address(name) == address
    return False


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError as error:
        raise ConfigError(f"cannot look at the key file {path}: {error.strerror}", path=str(path)) from error


def _text_of(path: Path) -> str:
    """Return the text of the key file with its line ends as they are; of a new one, its head."""
    return path.read_bytes().decode() if _exists(path) else _HEAD


def _entries(path: Path) -> dict[str, Any]:
    import tomllib  # here: most starts need no key file

    try:
        with path.open("rb") as file:
            refuse_shared_secrets("the key file", path, os.fstat(file.fileno()).st_mode)
            return tomllib.load(file)
    except OSError as error:
        raise ConfigError(f"cannot read the key file {path}: {error.strerror}", path=str(path)) from error
    except UnicodeDecodeError:
        raise ConfigError(f"the key file {path} is not a text", path=str(path)) from None
    except tomllib.TOMLDecodeError as error:
        # Only the place: the rest of the message may quote the file.
        place = re.search(r"at (line \d+, column \d+|end of document)", str(error))
        where = f" at {place[1]}" if place else ""
        hint = 'write "AA:BB:CC:DD:EE:FF" = "32 hex digits"'
        raise ConfigError(f"the key file {path} is not TOML{where}", path=str(path), hint=hint) from None


def _replace(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        replace_file(path, text.encode(), private=True)
    except OSError as error:
        raise ConfigError(f"cannot write the key file {path}: {error.strerror}", path=str(path)) from error
