"""Repeatable chance: numbers that depend on a seed and a place, and on nothing else.

The simulation keeps no random generator: what the clouds do at a time is a function of the time, so that a site moved
on in seconds and one moved on once in an hour have the same weather.
"""

from __future__ import annotations

from hashlib import blake2b
from math import floor

_MASK = (1 << 64) - 1
_SCALE = 1.0 / (1 << 53)


def child_seed(seed: int, *names: str | int) -> int:
    """Return the 64-bit seed of a part, such as one device of a site; every part has another."""
    text = "/".join(map(str, (seed, *names)))
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little")


def chance(seed: int, place: int) -> float:
    """Return a number from 0 up to 1 for a place, as if drawn at random (the finaliser of the splitmix64 generator)."""
    mixed = (seed + (place + 1) * 0x9E3779B97F4A7C15) & _MASK
    mixed = ((mixed ^ mixed >> 30) * 0xBF58476D1CE4E5B9) & _MASK
    mixed = ((mixed ^ mixed >> 27) * 0x94D049BB133111EB) & _MASK
    return ((mixed ^ mixed >> 31) >> 11) * _SCALE


def wander(seed: int, place: float) -> float:
    """Return a number from 0 up to 1 that changes smoothly with the place; places one apart are independent."""
    first = floor(place)
    part = place - first
    before, after = chance(seed, first), chance(seed, first + 1)
    return before + (after - before) * part * part * (3 - 2 * part)
