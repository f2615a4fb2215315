"""The encryption of a connection on air, for those who have its long-term key (LTK).

AES-CCM with a 4-byte tag; the key of a session comes from the long-term key and two numbers that both sides send in
clear when encryption starts. Layout: Bluetooth Core, volume 6, part B, sections 2.4.2.4 and 2.4.2.5, and part E. A
sniffer misses packets, so the packet counter is searched a little ahead; the tag shows which one is right.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESCCM

from bluewatt.errors import KeyProblem
from bluewatt.secret import SecretBytes

TAG_SIZE: Final = 4
"""The length of the tag behind every encrypted payload, in bytes."""

LOOK_AHEAD: Final = 256
"""Most packets that may be lost in a row."""

_KEY_SIZE = 16
_HEADER_MASK = 0xE3
"""The bits of the header that the tag covers: all but those that change when a packet is sent again."""
_FROM_CENTRAL = 0x80


def parse_long_term_key(text: str) -> SecretBytes:
    """Return the key of 32 hex digits; raises KeyProblem, which does not repeat them."""
    digits = "".join(text.split()).replace(":", "").removeprefix("0x")
    with suppress(ValueError):
        if len(raw := bytes.fromhex(digits)) == _KEY_SIZE:
            return SecretBytes(raw)
    raise KeyProblem(f"a long-term key has 32 hex digits, not {len(digits)} characters")


class LinkCipher:
    """The decryption of one session; `request` and `answer` are the parameters both sides sent in clear.

    The request holds 8 bytes of random number, 2 of diversifier, 8 of session key and 4 of start value; the answer 8 of
    session key and 4 of start value.
    """

    def __init__(self, long_term_key: bytes, request: bytes, answer: bytes) -> None:
        halves = request[10:18] + answer[:8]
        block = Cipher(algorithms.AES(long_term_key), modes.ECB()).encryptor()
        self._cipher = AESCCM(block.update(halves[::-1]), tag_length=TAG_SIZE)
        self._start = request[18:22] + answer[8:12]
        self._counters = {True: 0, False: 0}

    def open(self, header: int, payload: bytes, *, from_central: bool) -> bytes | None:
        """Return the plain payload of a packet that was not seen before; None if the key does not fit."""
        first = self._counters[from_central]
        for counter in range(first, first + LOOK_AHEAD):
            nonce = bytearray(counter.to_bytes(5, "little"))
            nonce[4] |= _FROM_CENTRAL if from_central else 0
            with suppress(InvalidTag):
                plain = self._cipher.decrypt(bytes(nonce) + self._start, payload, bytes([header & _HEADER_MASK]))
                self._counters[from_central] = counter + 1
                return plain
        return None
