"""The cipher of Instant Readout: AES-128 in counter mode, one key per device (page instant-readout, section 2).

The first counter block is the nonce, low byte first, and fourteen zero bytes. Every known record fits in one block, so
the key stream of an advertisement is one AES block; the AES context is kept per key, which makes it about eight times
faster than a new one per advertisement. There is no authentication: a wrong key gives wrong bytes, not an error.
"""

from __future__ import annotations

from functools import lru_cache

from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext, algorithms, modes

from bluewatt.errors import KeyProblem
from bluewatt.secret import SecretBytes

BLOCK = 16
KEYS_KEPT = 4096
PAGE = 32
"""Number of nonces whose key streams are made at once: devices count up, and it takes hardly longer than one."""
_SHORT = 2 * BLOCK - 1
_PADDING = bytes(BLOCK - 2)
_SEPARATORS = str.maketrans("", "", " :-\t\r\n")


class Key(SecretBytes):
    """The 16 secret bytes of a device's advertisement key; printing one shows a fingerprint, never the bytes."""

    @classmethod
    def of(cls, key: bytes | str) -> Key:
        """Return a key from 16 bytes or from 32 hex digits as people paste them: any case, spaces, colons, dashes, 0x.

        KeyProblem, with what is wrong and without the key, for anything else.
        """
        if isinstance(key, Key):
            return key
        parsed = parse_key(key)
        if isinstance(parsed, ShortKey):
            raise KeyProblem(
                "a key has 32 hex digits, this one has 31: some versions of the app hide the first, which need not be"
                " 0; an advertisement of the device has it"
            )
        return parsed

    @property
    def fingerprint(self) -> str:
        """Eight hex digits that distinguish keys without revealing them."""
        from hashlib import sha256  # here: few starts need a fingerprint, and loading it takes milliseconds

        return sha256(self).hexdigest()[:8]

    def __repr__(self) -> str:
        return f"Key(fingerprint {self.fingerprint})"


class ShortKey:
    """A key whose first digit is missing: some versions of the app hide it, and it need not be 0.

    It is the high half of the key check, which every encrypted advertisement carries and whose low half is the first
    digit shown (page instant-readout, amendments: single source, proved by content). Printing one shows no digit.
    """

    __slots__ = ("_digits",)

    def __init__(self, digits: str) -> None:
        """Make a key of its last 31 hex digits, in lower case without separators."""
        self._digits = digits

    def complete(self, key_check: int) -> Key:
        """Return the key with the first digit of `key_check`; it is the device's only if that is its first byte."""
        return Key(bytes.fromhex(f"{key_check >> 4:x}{self._digits}"))

    def possible(self) -> list[Key]:
        """Return the sixteen keys it may be."""
        return [self.complete(first << 4) for first in range(16)]

    def hex(self) -> str:
        """Return the 31 digits, for a key file."""
        return self._digits

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ShortKey) and self._digits == other._digits

    def __hash__(self) -> int:
        return hash(self._digits)

    def __repr__(self) -> str:
        return "ShortKey(31 digits)"


def parse_key(key: bytes | str | ShortKey) -> Key | ShortKey:
    """Return a key, or a `ShortKey` for a text of 31 digits; KeyProblem as `Key.of` has it for anything else."""
    if isinstance(key, Key | ShortKey):
        return key
    return _parsed(key if isinstance(key, str) else bytes(key))


def key_for(key: bytes | str | ShortKey, key_check: int) -> Key:
    """Return the key to try on an advertisement with this key check: a short one is completed from it."""
    parsed = parse_key(key)
    return parsed.complete(key_check) if isinstance(parsed, ShortKey) else parsed


def _digits(text: str) -> str:
    """Return the hex digits of a key as people paste it; KeyProblem for other characters."""
    digits = text.translate(_SEPARATORS).lower().removeprefix("0x")
    strange = sorted({digit for digit in digits if digit not in "0123456789abcdef"})
    if strange:
        raise KeyProblem(f"a key is written in hex digits, and {strange[0]!r} is not one")
    return digits


@lru_cache(maxsize=KEYS_KEPT)
def _parsed(key: bytes | str) -> Key | ShortKey:
    """Return a key, kept for the next call: reading a text takes longer than opening an advertisement with its key."""
    if isinstance(key, bytes):
        if len(key) != BLOCK:
            raise KeyProblem(f"a key has {BLOCK} bytes, this one has {len(key)}")
        return Key(key)
    digits = _digits(key)
    if len(digits) == _SHORT:
        return ShortKey(digits)
    if len(digits) != 2 * BLOCK:
        raise KeyProblem(f"a key has {2 * BLOCK} hex digits, this one has {len(digits)}")
    return Key(bytes.fromhex(digits))


@lru_cache(maxsize=KEYS_KEPT)
def _encryptor(key: bytes) -> CipherContext:
    return Cipher(algorithms.AES(key), modes.ECB()).encryptor()


def key_stream(key: bytes, nonce: int, length: int = BLOCK) -> bytes:
    """Return at least `length` bytes of key stream for a nonce (0 … 65535), in whole blocks."""
    first = nonce.to_bytes(2, "little") + _PADDING
    if length <= BLOCK:
        return _encryptor(key).update(first)
    # Nothing above one block was ever seen; the vendor's document counts the block number big endian at the end.
    counters = b"".join(first[:-2] + block.to_bytes(2, "big") for block in range(-(-length // BLOCK)))
    return _encryptor(key).update(counters)


@lru_cache(maxsize=KEYS_KEPT)
def _page(key: bytes, number: int) -> tuple[int, ...]:
    """Return the key streams of the nonces from `number` times PAGE on, each one block as a little-endian integer."""
    nonces = range(number * PAGE, (number + 1) * PAGE)
    streams = key_streams(key, b"".join(nonce.to_bytes(2, "little") for nonce in nonces))
    return tuple(int.from_bytes(streams[at : at + BLOCK], "little") for at in range(0, len(streams), BLOCK))


def next_stream(key: bytes, nonce: int) -> int:
    """Return the first block of `key_stream` as a little-endian integer, for a device that counts its nonces up."""
    return _page(key, nonce // PAGE)[nonce % PAGE]


def key_streams(key: bytes, nonces: bytes) -> bytes:
    """Return a block of key stream for each of many nonces (two bytes each, low byte first), encrypted in one call."""
    counters = bytearray(len(nonces) // 2 * BLOCK)
    counters[0::BLOCK] = nonces[0::2]
    counters[1::BLOCK] = nonces[1::2]
    return _encryptor(key).update(counters)


def apply(key: bytes, nonce: int, data: bytes) -> bytes:
    """Open or seal `data` (the two are the same); any length, the true length is kept."""
    stream = key_stream(key, nonce, len(data))
    length = len(data)
    return (int.from_bytes(data, "little") ^ int.from_bytes(stream[:length], "little")).to_bytes(length, "little")
