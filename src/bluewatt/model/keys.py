"""The key ring: which advertisement key belongs to which device. Pure: files are read in `services/keys.py`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from bluewatt.errors import KeyProblem
from bluewatt.wire.cipher import Key

_ADDRESS_DIGITS = 12


def normal_address(text: str) -> str:
    """An address as Bluewatt writes it: "AA:BB:CC:DD:EE:FF"; a UUID of macOS in upper case.

    Accepts either case, dashes, or no separators at all; KeyProblem for anything else.
    """
    bare = text.strip().upper().replace("-", "").replace(":", "")
    if not bare or any(digit not in "0123456789ABCDEF" for digit in bare):
        raise KeyProblem(f"{text!r} is not a Bluetooth address: write AA:BB:CC:DD:EE:FF")
    if len(bare) == _ADDRESS_DIGITS:
        return ":".join(bare[start : start + 2] for start in range(0, _ADDRESS_DIGITS, 2))
    if len(bare) == 32:
        return "-".join((bare[:8], bare[8:12], bare[12:16], bare[16:20], bare[20:]))
    raise KeyProblem(f"{text!r} is not a Bluetooth address: write AA:BB:CC:DD:EE:FF")


class KeyRing:
    """Keys by address, and keys whose device is not known: those are tried by their first byte and proved by content.

    Keys without an address serve macOS, which hides addresses, and lists of keys from elsewhere.
    """

    def __init__(self, keys: Mapping[str, bytes | str] | None = None, *, loose: Iterable[bytes | str] = ()) -> None:
        self._by_address = {normal_address(address): Key.of(key) for address, key in (keys or {}).items()}
        self._loose = [Key.of(key) for key in loose]
        self._owners: dict[Key, str] = {}

    def __len__(self) -> int:
        return len(self._by_address) + len(self._loose)

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_address)

    def add(self, address: str, key: bytes | str) -> None:
        """Give a device a key; one it had before is replaced."""
        self._by_address[normal_address(address)] = Key.of(key)

    def of(self, address: str) -> Key | None:
        """The key filed under an address."""
        return self._by_address.get(address)

    def proven_by(self, address: str, key: Key) -> None:
        """Note which device a key opens; the first that proves it owns it, whoever repeats its advertisements."""
        self._owners.setdefault(key, address)

    def knows(self, address: str) -> bool:
        """Whether a device has a key here: filed under its address, or without one and proven by it."""
        return address in self._by_address or address in self._owners.values()

    def candidates(self, address: str, key_check: int) -> list[Key]:
        """The keys worth trying on an advertisement: the device's own, and loose ones that begin with `key_check`."""
        own = self._by_address.get(address)
        loose = [key for key in self._loose if key[0] == key_check and key != own]
        return [own, *loose] if own is not None else loose


def parse_key_argument(text: str) -> tuple[str | None, Key]:
    """(address or None, key) of "ADDRESS=KEY", "ADDRESS@KEY" or "KEY" as people write them on a command line."""
    for separator in ("=", "@"):
        address, found, key = text.rpartition(separator)
        if found:
            return normal_address(address), Key.of(key)
    return None, Key.of(text)
