"""Chance that repeats: numbers that depend on a seed and a place, and on nothing else.

The simulation never keeps a random generator going: what the clouds do at a time is a function of the time, so that a
site stepped in seconds and one asked once an hour later meet the same weather.
"""

from __future__ import annotations

from hashlib import blake2b
from math import floor

_MASK = (1 << 64) - 1
_SCALE = 1.0 / (1 << 53)


def child_seed(seed: int, *names: str | int) -> int:
    """The seed of a part, such as one device of a site: 64 bits, unlike those of the other parts."""
    text = "/".join(map(str, (seed, *names)))
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little")


def chance(seed: int, place: int) -> float:
    """A number from 0 up to 1 for a place, as good as drawn (the finaliser of the splitmix64 generator)."""
    mixed = (seed + (place + 1) * 0x9E3779B97F4A7C15) & _MASK
    mixed = ((mixed ^ mixed >> 30) * 0xBF58476D1CE4E5B9) & _MASK
    mixed = ((mixed ^ mixed >> 27) * 0x94D049BB133111EB) & _MASK
    return ((mixed ^ mixed >> 31) >> 11) * _SCALE


def wander(seed: int, place: float) -> float:
    """A number from 0 up to 1 that changes smoothly with the place; places one apart know nothing of each other."""
    first = floor(place)
    part = place - first
    before, after = chance(seed, first), chance(seed, first + 1)
    return before + (after - before) * part * part * (3 - 2 * part)
