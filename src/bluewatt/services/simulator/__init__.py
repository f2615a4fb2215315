"""The simulator: a small site whose devices agree with each other, for demo, emulator, tests and bench.

Sun and clouds feed panels, panels and engine and shore feed chargers, chargers and loads meet in a battery; each
device takes its record from that. Pure: no clock, no radio; the application carries its advertisements to a radio.
"""

from __future__ import annotations

from bluewatt.services.simulator.device import SimulatedDevice
from bluewatt.services.simulator.installation import COMPLETE, TYPICAL
from bluewatt.services.simulator.site import DEFAULT_START, Site, frames

__all__ = ["COMPLETE", "DEFAULT_START", "TYPICAL", "SimulatedDevice", "Site", "frames"]
