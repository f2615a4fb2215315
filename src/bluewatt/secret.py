"""Keys, PINs and passwords, as types that never print themselves.

A `SecretText` is a `str` and a `SecretBytes` is `bytes`, so they serve wherever those do. `repr`, `str` and format
strings give HIDDEN instead: an error message, a log line or the locals of a traceback show nothing. Code that
has to show one calls `reveal()`.
"""

from __future__ import annotations

from typing import Self

import msgspec

HIDDEN = "<hidden>"
"""The text printed in place of a secret."""


class Secret:
    """The base that hides the content; it comes before the type that holds it."""

    __slots__ = ()

    def __repr__(self) -> str:
        return HIDDEN

    def __str__(self) -> str:
        return repr(self)

    def __format__(self, spec: str) -> str:
        return repr(self)  # a width or "06d" applies to the content


class SecretText(Secret, str):
    """A PIN or a password."""

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        """Make a secret of a text, or of another secret, whose `str` is HIDDEN."""
        return super().__new__(cls, str.__str__(text))

    def reveal(self) -> str:
        """Return the text itself, for a place that is meant to show or send it."""
        return str.__str__(self)


class SecretBytes(Secret, bytes):
    """The bytes of a key; a subclass may print a fingerprint."""

    __slots__ = ()


class SecretNumber(Secret, int):
    """A PIN as a number."""

    __slots__ = ()


def hide(text: str | None) -> SecretText | None:
    """Return a text as a secret; None stays None."""
    return None if text is None else SecretText(text)


def hide_fields(struct: msgspec.Struct, *names: str) -> None:
    """Make secrets of text fields of a frozen struct that was just made (`__post_init__`)."""
    for name in names:
        msgspec.structs.force_setattr(struct, name, hide(getattr(struct, name)))
