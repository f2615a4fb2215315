"""Numbers with names: one name for a number, names for its bits, names for its groups of two bits.

A number nobody has named stays a number.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Final

import msgspec

NOT_IN_TABLE: Final = "unknown"
"""The key and label of a number without a name, followed by the number."""


class Name(msgspec.Struct, frozen=True, gc=False):
    """The name of one number of an enumeration: `key` for programs, `label` for people."""

    key: str
    label: str


class Code(int):
    """A number with a name, such as a device state; a number nobody has named stays a number called "unknown(n)"."""

    names: ClassVar[Mapping[int, Name]] = {}

    def __init_subclass__(cls, *, names: Mapping[int, Name] | None = None) -> None:
        if names is not None:
            cls.names = names

    @property
    def known(self) -> bool:
        """Whether the enumeration names this number."""
        return int(self) in self.names

    @property
    def key(self) -> str:
        """The name for programs, such as "bulk"."""
        name = self.names.get(int(self))
        return name.key if name else f"{NOT_IN_TABLE}({int(self)})"

    @property
    def label(self) -> str:
        """The name for people, such as "Bulk"."""
        name = self.names.get(int(self))
        return name.label if name else f"{NOT_IN_TABLE} ({int(self)})"

    def as_json(self) -> str:
        """Return the value for JSON: the key."""
        return self.key

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.key} ({int(self)})>"

    def __str__(self) -> str:
        return self.label


class Flags(int):
    """A number whose bits have names, such as an alarm reason; bits combine, unnamed bits are called "bit n"."""

    names: ClassVar[Mapping[int, Name]] = {}

    def __init_subclass__(cls, *, names: Mapping[int, Name] | None = None) -> None:
        if names is not None:
            cls.names = names

    @property
    def bits(self) -> list[int]:
        """The numbers of the bits that are set, lowest first."""
        return [bit for bit in range(int(self).bit_length()) if int(self) >> bit & 1]

    @property
    def known(self) -> bool:
        """Whether the enumeration names every bit that is set."""
        return all(bit in self.names for bit in self.bits)

    @property
    def keys(self) -> list[str]:
        """The names for programs of the bits that are set."""
        return [self.names[bit].key if bit in self.names else f"bit{bit}" for bit in self.bits]

    @property
    def labels(self) -> list[str]:
        """The names for people of the bits that are set."""
        return [self.names[bit].label if bit in self.names else f"bit {bit}" for bit in self.bits]

    def as_json(self) -> list[str]:
        """Return the value for JSON: the keys of the bits that are set."""
        return self.keys

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {'+'.join(self.keys) or 'none'} (0x{int(self):X})>"

    def __str__(self) -> str:
        return ", ".join(self.labels) or "none"


class TwoBitFields(int):
    """A number made of two-bit groups with names, such as a BMS input and output status; group value 0 is "unused"."""

    names: ClassVar[Mapping[int, Name]] = {}
    states: ClassVar[tuple[str, str, str, str]] = ("unused", "1", "2", "3")

    def __init_subclass__(
        cls, *, names: Mapping[int, Name] | None = None, states: tuple[str, str, str, str] | None = None
    ) -> None:
        if names is not None:
            cls.names = names
        if states is not None:
            cls.states = states

    @property
    def known(self) -> bool:
        """Whether every group in use has a name."""
        return all(group in self.names for group in self._used())

    @property
    def keys(self) -> list[str]:
        """Every group in use as "name=state"."""
        return [f"{self._key(group)}={self.states[int(self) >> 2 * group & 3]}" for group in self._used()]

    def as_json(self) -> list[str]:
        """Return the value for JSON: the groups in use as "name=state"."""
        return self.keys

    def _used(self) -> list[int]:
        return [group for group in range((int(self).bit_length() + 1) // 2) if int(self) >> 2 * group & 3]

    def _key(self, group: int) -> str:
        return self.names[group].key if group in self.names else f"group{group}"

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {' '.join(self.keys) or 'none'} (0x{int(self):X})>"

    def __str__(self) -> str:
        return ", ".join(self.keys) or "none"


Named = type[Code] | type[Flags] | type[TwoBitFields]
