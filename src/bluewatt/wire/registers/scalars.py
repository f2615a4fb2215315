"""Single numbers, named numbers and masks as raw bits, for registers and compound registers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from bluewatt.errors import Unencodable
from bluewatt.schema import Code, Flags, Name, Scale, TwoBitFields


def signed_value(raw: int, bits: int) -> int:
    """Return a raw pattern of `bits` bits read as two's complement."""
    return raw - (1 << bits) if raw >> (bits - 1) else raw


def raw_pattern(number: int, bits: int, *, signed: bool, what: str) -> int:
    """Return the unsigned pattern of a number in `bits` bits; Unencodable when it does not fit."""
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
    if not low <= number <= high:
        raise Unencodable(f"{what}: {number} does not fit, {low} to {high} is possible")
    return number & ((1 << bits) - 1)


def scaled_number(value: Any, scale: Scale, what: str) -> int:
    """Return the raw count of a physical value; Unencodable for what is no finite number."""
    if not isinstance(value, int | float):
        raise Unencodable(f"{what}: {value!r} is not a number")
    if isinstance(value, int) and scale.factor == scale.divisor == 1:
        return value - scale.shift  # exact beyond the 53 bits of a float
    try:
        return scale.raw(value)
    except (ValueError, OverflowError):
        raise Unencodable(f"{what}: {value!r} is not a finite number") from None


def code_number(value: Any, named: type[Code], what: str) -> int:
    """Return the number of a named value, given as a number or by its key."""
    if isinstance(value, int):
        return int(value)
    return _number_of_key(value, named.names, what)


def _number_of_key(key: Any, names: Mapping[int, Name], what: str) -> int:
    for number, name in names.items():
        if name.key == key:
            return number
    known = ", ".join(name.key for name in names.values())
    raise Unencodable(f"{what}: {key!r} is not one of {known or 'the known values, which are none'}")


def flags_number(value: Any, named: type[Flags], what: str) -> int:
    """Return the mask of a set of bits, given as a number or as a list of keys ("bit9" for an unnamed bit)."""
    if isinstance(value, int):
        return int(value)
    return sum({1 << _bit(key, named.names, what) for key in _listed(value, what)})


def _bit(key: Any, names: Mapping[int, Name], what: str) -> int:
    number = _numbered(key, "bit")
    return _number_of_key(key, names, what) if number is None else number


def groups_number(value: Any, named: type[TwoBitFields], what: str) -> int:
    """Return the word of a set of two-bit groups, given as a number or as "name=state" of the groups in use."""
    if isinstance(value, int):
        return int(value)
    word = 0
    for item in _listed(value, what):
        key, _, state = str(item).partition("=")
        if state not in named.states:
            raise Unencodable(f"{what}: {item!r} is not a group with one of {', '.join(named.states)}")
        number = _numbered(key, "group")
        group = _number_of_key(key, named.names, what) if number is None else number
        word |= named.states.index(state) << 2 * group
    return word


def _listed(value: Any, what: str) -> Iterable[Any]:
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise Unencodable(f"{what}: {value!r} is neither a number nor a list of names")
    return value


def _numbered(key: Any, prefix: str) -> int | None:
    """Return the number in "bit9" or "group3"; None for every other key. A word has 64 bits at most."""
    digits = key.removeprefix(prefix) if isinstance(key, str) and key.startswith(prefix) else ""
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= 2 else None
