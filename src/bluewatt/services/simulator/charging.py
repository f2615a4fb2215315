"""The charge algorithm of every charger: bulk, absorption, float, by voltage and time."""

from __future__ import annotations

from bluewatt.services.simulator.battery import Bank
from bluewatt.services.simulator.values import code
from bluewatt.tables.enums import DeviceState

OFF = code(DeviceState, "off")
BULK = code(DeviceState, "bulk")
ABSORPTION = code(DeviceState, "absorption")
FLOAT = code(DeviceState, "float")

REACHED = 0.03
"""Volts per four cells below the absorption voltage that count as reached."""
REBULK_SECONDS = 60.0


class ChargeCycle:
    """The charge cycle of one charger. Its settings, in V of the bank and seconds, may be changed at any time."""

    def __init__(self, bank: Bank) -> None:
        self.bank = bank
        blocks = bank.cells / 4
        self.absorption_voltage = 14.2 * blocks
        self.float_voltage = 13.5 * blocks
        self.rebulk_voltage = 13.1 * blocks
        self.absorption_time = 3600.0
        self.tail_current = 0.02 * bank.capacity
        self.state: DeviceState = OFF
        self._margin = REACHED * blocks
        self._timer = 0.0

    @property
    def setpoint(self) -> float:
        """The voltage to charge to in the present state."""
        return self.float_voltage if self.state == FLOAT else self.absorption_voltage

    def stop(self) -> None:
        """Stop for want of power or because it is switched off; the next start begins with bulk."""
        self.state = OFF

    def start(self) -> None:
        """Begin with bulk, unless a cycle is running."""
        if self.state == OFF:
            self._enter(BULK)

    def advance(self, dt: float) -> None:
        """Let `dt` seconds at the bank's present voltage pass."""
        if self.state == BULK and self.bank.voltage >= self.absorption_voltage - self._margin:
            self._enter(ABSORPTION)
        elif self.state == ABSORPTION:
            self._absorb(dt)
        elif self.state == FLOAT:
            self._timer = self._timer + dt if self.bank.voltage < self.rebulk_voltage else 0.0
            if self._timer >= REBULK_SECONDS:
                self._enter(BULK)

    def _absorb(self, dt: float) -> None:
        self._timer += dt
        held = self.bank.voltage >= self.absorption_voltage - 3 * self._margin
        if self._timer >= self.absorption_time or (
            held and self._timer > REBULK_SECONDS and self.bank.current < self.tail_current
        ):
            self._enter(FLOAT)

    def _enter(self, state: DeviceState) -> None:
        self.state = state
        self._timer = 0.0
