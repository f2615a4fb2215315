"""The key ring: which advertisement key belongs to which device. Pure: `services/keys.py` reads the files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from bluewatt.errors import KeyProblem
from bluewatt.wire.instant_readout.cipher import Key, ShortKey, parse_key

_ADDRESS_DIGITS = 12
_MOST_COMPLETED = 1024

AnyKey = bytes | str | ShortKey
"""A key as bytes, as text, or one whose first digit is missing."""


def normal_address(text: str) -> str:
    """Return an address as Bluewatt writes it: "AA:BB:CC:DD:EE:FF"; a UUID of macOS in upper case.

    Accepts either case, dashes, or no separators at all. Raises KeyProblem for anything else.
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
    """Keys by address, and *loose* keys, whose device is not known: their first byte selects them, content proves them.

    Loose keys serve macOS, which hides addresses, and lists of keys from elsewhere. A key of 31 digits is
    completed from each advertisement it is tried on.
    """

    def __init__(self, keys: Mapping[str, AnyKey] | None = None, *, loose: Iterable[AnyKey] = ()) -> None:
        self._by_address: dict[str, Key] = {}
        self._short: dict[str, ShortKey] = {}
        self.completed: dict[str, Key] = {}
        """Keys of 31 digits with the first digit of the last advertisement that fitted them, by its sender."""
        for address, key in (keys or {}).items():
            self.add(address, key)
        parsed = [parse_key(key) for key in loose]
        self._loose = [key for key in parsed if isinstance(key, Key)]
        self._loose_short = [key for key in parsed if isinstance(key, ShortKey)]
        self._owners: dict[Key, str] = {}

    def __len__(self) -> int:
        return len(self._by_address) + len(self._short) + len(self._loose) + len(self._loose_short)

    def __iter__(self) -> Iterator[str]:
        return iter((*self._by_address, *self._short))

    def add(self, address: str, key: AnyKey) -> None:
        """File a key under an address, in place of one filed there before."""
        address, parsed = normal_address(address), parse_key(key)
        self._by_address.pop(address, None)
        self._short.pop(address, None)
        if isinstance(parsed, ShortKey):
            self._short[address] = parsed
        else:
            self._by_address[address] = parsed

    def of(self, address: str) -> Key | None:
        """Return the key filed under an address; None without one, or if a digit of it is missing."""
        return self._by_address.get(address)

    def proven_by(self, address: str, key: Key) -> None:
        """Note which device a key opens: the first that proves it, whoever repeats its advertisements later."""
        self._owners.setdefault(key, address)

    def knows(self, address: str) -> bool:
        """Return whether a device has a key: one filed under its address, or a loose one that it has proven."""
        return address in self._by_address or address in self._short or address in self._owners.values()

    def candidates(self, address: str, key_check: int) -> list[Key]:
        """Return the keys to try on an advertisement: the device's own, and loose ones that begin with `key_check`."""
        own = self._by_address.get(address)
        if own is None and address in self._short:
            own = self._complete(self._short[address], address, key_check)
        loose = [key for key in self._loose if key[0] == key_check and key != own]
        for short in self._loose_short:
            key = self._complete(short, address, key_check)
            if key[0] == key_check and key != own and key not in loose:
                loose.append(key)
        return [own, *loose] if own is not None else loose

    def _complete(self, short: ShortKey, address: str, key_check: int) -> Key:
        key = short.complete(key_check)
        if key[0] == key_check:
            if address not in self.completed and len(self.completed) >= _MOST_COMPLETED:
                del self.completed[next(iter(self.completed))]
            self.completed[address] = key
        return key


def parse_key_argument(text: str) -> tuple[str | None, Key | ShortKey]:
    """Return (address or None, key) of "ADDRESS=KEY", "ADDRESS@KEY" or "KEY", as given on a command line."""
    for separator in ("=", "@"):
        address, found, key = text.rpartition(separator)
        if found:
            return normal_address(address), parse_key(key)
    return None, parse_key(text)
