"""An encrypted record opened with some key, and what its content says about that key."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import msgspec
from msgspec.structs import astuple

from bluewatt.model.reading import Frame
from bluewatt.model.trust.evidence import Judgement, judge
from bluewatt.model.trust.likeness import likeness
from bluewatt.schema import Record
from bluewatt.wire.instant_readout.advertisement import HEADER_LENGTH, Advertisement, open_bits
from bluewatt.wire.instant_readout.cipher import Key
from bluewatt.wire.instant_readout.records import decode_bits


class KeyTrial(msgspec.Struct):
    """A record opened with some key, and the judgement on its content."""

    frame: Frame
    nonce: int
    record: Record
    values: tuple[Any, ...]
    """The values of the record, in the order of its rows."""
    judgement: Judgement

    @property
    def is_short(self) -> bool:
        """Whether the record is shorter than its layout."""
        return len(self.frame.payload) < HEADER_LENGTH + self.record.length()

    def compares_with(self, before: KeyTrial | None) -> bool:
        """Return whether likeness to `before` would say anything about the key that opened both.

        With the same nonce it would not: two records opened with a wrong key are then as alike as the true ones.
        """
        if before is None or type(before.record) is not type(self.record):
            return False
        return before.nonce != self.nonce and not (before.is_short or self.is_short)


def open_sample(
    frame: Frame, advertisement: Advertisement, cls: type[Record], key: Key | None, before: KeyTrial | None
) -> KeyTrial:
    """Open a record of a known class with a key (None for an unencrypted one) and judge it.

    `before` is the record that the same key opened last.
    """
    length, bits = len(advertisement.body), open_bits(advertisement, key)
    record = decode_bits(cls, bits, length)
    short = 8 * length < cls.bits
    spare = None if short else bits >> cls.bits & cls.spare == cls.spare
    opened = KeyTrial(frame, advertisement.nonce, record, astuple(record), _UNJUDGED)
    comparable = before.record if before is not None and opened.compares_with(before) else None
    opened.judgement = judge(record, spare=spare, length=length if short else None, before=comparable)
    return opened


_UNJUDGED = Judgement(0.0, {})


def split_believed(samples: list[KeyTrial]) -> tuple[list[KeyTrial], list[KeyTrial]]:
    """Return the samples to believe, and those to refuse: incredible ones which the next one does not resemble."""
    believed: list[KeyTrial] = []
    refused: list[KeyTrial] = []
    for opened, following in pairwise([*samples, None]):
        if opened is not None:
            confirmed = following is not None and _confirms(following, opened)
            (refused if opened.judgement.incredible and not confirmed else believed).append(opened)
    return believed, refused


def _confirms(following: KeyTrial, opened: KeyTrial) -> bool:
    return following.compares_with(opened) and likeness(opened.record, following.record) > 0
