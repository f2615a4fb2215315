"""The emulator's devices: the registers of a family over the values of a plant, for the session machine in `wire`.

A family is data (`families`): which registers on which instance, what they show, which may be written. `EmulatedDevice`
joins a family, a plant (`services.plant`) and its memory (`memory`) to a device that answers, advertises and remembers.
"""

from __future__ import annotations

from bluewatt.services.emulator.device import EmulatedDevice
from bluewatt.services.emulator.families import FAMILIES, Family
from bluewatt.services.emulator.fed_values import FedValues
from bluewatt.services.emulator.memory import Memory, pin_text

__all__ = ["FAMILIES", "EmulatedDevice", "Family", "FedValues", "Memory", "pin_text"]
