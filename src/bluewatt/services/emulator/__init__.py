"""The emulator's devices: register stores over simulated or fed values, for the machine of `wire.session_device`.

A family is data (`families`): which registers on which instance, what they show, which may be written. `EmulatedDevice`
joins a family, its values (`values`) and its memory (`memory`) to a device that answers, advertises and remembers.
"""

from __future__ import annotations

from bluewatt.services.emulator.device import EmulatedDevice
from bluewatt.services.emulator.families import FAMILIES, Family
from bluewatt.services.emulator.memory import Memory, pin_text
from bluewatt.services.emulator.values import FedValues, SimulatedValues, ValueSource

__all__ = ["FAMILIES", "EmulatedDevice", "Family", "FedValues", "Memory", "SimulatedValues", "ValueSource", "pin_text"]
