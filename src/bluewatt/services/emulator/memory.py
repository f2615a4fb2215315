"""The memory of an emulated device over a restart: PIN, key, name, settings and counters, in one JSON file.

The file holds secrets, so only its owner may read it; it is replaced as a whole, so a crash leaves the old or the new
one. Without a file everything is forgotten when the process ends.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from bluewatt.errors import ConfigError
from bluewatt.safe_write import replace_file

PIN_DIGITS = 6
DEFAULT_PIN = "000000"
"""The PIN of devices without a label (protocol page victronconnect-gatt, section 3)."""


class StoredState(msgspec.Struct):
    """The fields of the file."""

    seed: int | None = None
    """The seed of its identity: address, serial number and first key follow from it."""
    pin: str = DEFAULT_PIN
    key: str = ""
    """The advertisement key in hex digits; empty until it was changed."""
    name: str = ""
    counter: int | None = None
    """The last count of the VE.Smart network that may have been used."""
    values: dict[str, Any] = {}
    """Settings as they were written, by register key."""

    def __repr__(self) -> str:
        return f"StoredState(name={self.name!r})"  # neither PIN nor key


class Memory:
    """The stored state as `content`; call `save` after a change. Raises ConfigError for a file that holds none."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = path
        self.content = StoredState() if path is None else _load(path)

    def save(self) -> None:
        """Write the file, if there is one; ConfigError if that is impossible."""
        if self.path is None:
            return
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            content = msgspec.json.format(msgspec.json.encode(self.content), indent=2)
            replace_file(self.path, content, private=True)
        except OSError as error:
            raise ConfigError(
                f"{self.path} cannot be written: {error.strerror}", path=str(self.path), hint="choose another --state"
            ) from error


def _load(path: Path) -> StoredState:
    try:
        content = msgspec.json.decode(path.read_bytes(), type=StoredState)
    except FileNotFoundError:
        return StoredState()
    except (OSError, msgspec.DecodeError) as error:
        raise ConfigError(
            f"{path} does not hold an emulated device: {error}", path=str(path), hint="move it away to start afresh"
        ) from error
    content.pin = pin_text(content.pin)
    return content


def pin_text(text: str) -> str:
    """Return a PIN as six digits, leading zeros kept; ConfigError, which does not repeat it, for anything else."""
    if len(text) != PIN_DIGITS or not (text.isascii() and text.isdigit()):
        raise ConfigError(f"a PIN has {PIN_DIGITS} digits", hint="write it in full, such as 000123")
    return str.__str__(text)  # plain: it is kept in a file
