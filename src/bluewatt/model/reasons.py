"""The reasons for which something heard or captured gave no values, and what people are told of each. Pure.

The words are those of the field `reason` in JSON Lines; docs/reference/json.md explains each.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from bluewatt.errors import KeyMismatch, KeyMissing, Malformed, UnknownType

NO_RECORD = "NoRecord"
"""The advertisement of a device that has Instant Readout switched off."""
VESMART = "VeSmart"
"""A broadcast of a VE.Smart network none of whose keys is given."""
UNPROVEN = "KeyUnproven"
"""A record whose key is not proven yet."""
REJECTED = "Rejected"
"""A record whose content cannot be true."""
PROTOCOL_ERROR = "ProtocolError"
"""A message of a connection that breaks the protocol."""
UNFINISHED = "Unfinished"
"""A message of a connection that was begun and never ended."""


class Reason(NamedTuple):
    """What people are told about one reason."""

    noun: str
    """What gave no values: "advertisement", "message" or "packet"."""
    one: str
    """What is said of one of them, after the noun."""
    many: str
    """The same of several."""
    hint: str = ""
    """What a list of devices says of the device, with the remedy; empty if the reason concerns no advertisement."""
    network_hint: str = ""
    """The same if it was a broadcast of a VE.Smart network, whose keys are others; empty where it is `hint`."""


_NETWORK_ONLY = "VE.Smart networking only"

REASONS = {
    KeyMissing.__name__: Reason(
        "advertisement", "needs a key", "need a key",
        "no key: fetch it with `bluewatt key`, or copy it from the app", _NETWORK_ONLY,
    ),
    KeyMismatch.__name__: Reason(
        "advertisement", "needs a key other than those given", "need a key other than those given",
        "wrong key: the device has another one now", "wrong key for its VE.Smart network",
    ),
    UNPROVEN: Reason(
        "advertisement", "is too little to prove the key", "are too few to prove the key", "the key is being checked",
    ),
    NO_RECORD: Reason(
        "advertisement", "came from a device with Instant Readout off", "came from devices with Instant Readout off",
        "Instant Readout is off: switch it on in the app",
    ),
    UnknownType.__name__: Reason(
        "advertisement", "is of a kind nobody has described", "are of kinds nobody has described",
        "unknown record type",
    ),
    VESMART: Reason(
        "advertisement", "is VE.Smart networking only", "are VE.Smart networking only", _NETWORK_ONLY,
    ),
    REJECTED: Reason(
        "advertisement", "holds values that cannot be true", "hold values that cannot be true", "implausible values",
    ),
    Malformed.__name__: Reason("packet", "is garbled", "are garbled", "garbled advertisement"),
    PROTOCOL_ERROR: Reason("message", "cannot be read", "cannot be read"),
    UNFINISHED: Reason("message", "was never ended", "were never ended"),
}  # fmt: skip
"""Word of the field `reason` → what people are told."""

_UNLISTED = Reason("item", "gave no values", "gave no values")


def reasons_text(counts: Mapping[str, int]) -> str:
    """Return what gave no values, most frequent first: "51 advertisements need a key; 6 came from devices with …".

    `counts` is by reason; the result is empty if nothing was counted.
    """
    return "; ".join(_parts(counts))


def _parts(counts: Mapping[str, int]) -> Iterator[str]:
    noun_before = ""
    for word, count in sorted(counts.items(), key=lambda pair: -pair[1]):
        reason = REASONS.get(word, _UNLISTED)
        # A reader supplies the noun where the part before has it, too.
        noun = "" if reason.noun == noun_before else f" {reason.noun if count == 1 else f'{reason.noun}s'}"
        yield f"{count}{noun} {reason.one if count == 1 else reason.many}"
        noun_before = reason.noun
