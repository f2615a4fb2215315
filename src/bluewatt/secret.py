"""What opens a device or a broker: keys, PINs, passwords. They travel as types that never print themselves.

A `SecretText` is a `str` and a `SecretBytes` is `bytes`, so they serve wherever those do. `repr`, `str` and format
strings give HIDDEN in their place: an error message, a log line or the locals of a traceback show nothing. Whoever has
to show one says so: `shown()`.
"""

from __future__ import annotations

from typing import Self

import msgspec

HIDDEN = "<hidden>"
"""Stands for a secret wherever it would be printed."""


class Secret:
    """The part that hides; mixed in before the type that holds the content."""

    __slots__ = ()

    def __repr__(self) -> str:
        return HIDDEN

    def __str__(self) -> str:
        return repr(self)

    def __format__(self, spec: str) -> str:
        return repr(self)  # a width or "06d" is meant for the content


class SecretText(Secret, str):
    """A PIN or a password."""

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        """Take the text itself, also of a secret, whose `str` is HIDDEN."""
        return super().__new__(cls, str.__str__(text))

    def shown(self) -> str:
        """Return the text itself, for a place that is meant to show or send it."""
        return str.__str__(self)


class SecretBytes(Secret, bytes):
    """The bytes of a key; a subclass may print a fingerprint."""

    __slots__ = ()


class SecretNumber(Secret, int):
    """A PIN as the number it is typed as."""

    __slots__ = ()


def hide(text: str | None) -> SecretText | None:
    """Return a text as a secret; None stays None."""
    return None if text is None else SecretText(text)


def hide_fields(struct: msgspec.Struct, *names: str) -> None:
    """Make secrets of text fields of a frozen struct that was just made (`__post_init__`)."""
    for name in names:
        msgspec.structs.force_setattr(struct, name, hide(getattr(struct, name)))
