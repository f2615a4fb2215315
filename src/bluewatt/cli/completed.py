"""What people are told of keys of 31 digits, once an advertisement gave the first and the content proved it."""

from __future__ import annotations

from collections.abc import Iterator

from bluewatt.model.receiver import Receiver
from bluewatt.model.trust.key_verdict import KeyState


def completed_keys(receiver: Receiver) -> Iterator[str]:
    """Yield a sentence for each such key that is right; the digit is on air, so nothing secret is told."""
    for address, key in receiver.keys.completed.items():
        if receiver.key_state(address) is KeyState.RIGHT:
            yield (
                f"the key given for {address} has 31 digits: the first, which the app hid, is {key[0] >> 4:x};"
                " write it in front"
            )
