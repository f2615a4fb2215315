"""Emulated devices without a radio."""

from __future__ import annotations

from typing import Any

from bluewatt.services.emulator import FAMILIES, EmulatedDevice, Memory
from bluewatt.services.simulator import DEFAULT_START, Site

SITE_SIZE = 6
"""Devices of a site that has a plant for every family."""


def emulated_device(
    family: str, memory: Memory | None = None, *, site: Site | None = None, **more: Any
) -> EmulatedDevice:
    """A device of a family over a plant of a site; the same one in every test, unless its memory is another's."""
    site = site or Site(3, devices=SITE_SIZE, start=DEFAULT_START)
    memory = memory or Memory()
    memory.content.seed = memory.content.seed or 5
    chosen = FAMILIES[family]
    return EmulatedDevice(chosen, site.plant(chosen.place), memory, clock=lambda: site.now, **more)
