"""A battery bank and what is connected to it: one voltage, and currents that add up.

Every device has a `Branch` on the bank. In each tick it sets what it draws, and what it could give up to which voltage;
`Bank.settle` finds the one voltage at which all of that fits, shares the current out and counts the charge.
"""

from __future__ import annotations

from bisect import bisect_right
from itertools import groupby

_CELL_REST = (
    (0.00, 2.50), (0.01, 2.70), (0.03, 2.90), (0.05, 3.05), (0.10, 3.175), (0.20, 3.225), (0.30, 3.2525),
    (0.50, 3.285), (0.70, 3.315), (0.90, 3.335), (0.97, 3.37), (0.99, 3.43), (1.00, 3.55), (1.05, 3.75),
)  # fmt: skip
"""Voltage at rest of a lithium iron phosphate cell against its state of charge (typical data sheet curve)."""
_SOC, _VOLTS = zip(*_CELL_REST, strict=True)

CUT_OFF, CUT_ON = 0.005, 0.03
"""State of charge at which the battery's own management stops the discharge, and allows it again."""
RELAXATION = 300.0
"""Time constant in seconds of the slow part of the voltage drop."""


def rest_voltage(state_of_charge: float) -> float:
    """Return the voltage at rest of one cell in V; `state_of_charge` from 0 to 1."""
    index = min(max(bisect_right(_SOC, state_of_charge), 1), len(_SOC) - 1)
    part = (state_of_charge - _SOC[index - 1]) / (_SOC[index] - _SOC[index - 1])
    return float(_VOLTS[index - 1] + part * (_VOLTS[index] - _VOLTS[index - 1]))


class Branch:
    """The connection of one device to the bank; currents in A, all of them positive."""

    __slots__ = ("available", "current", "drawn", "setpoint")

    def __init__(self) -> None:
        self.available = 0.0
        """The current that the device could give now."""
        self.setpoint = 0.0
        """The bank voltage up to which it gives."""
        self.current = 0.0
        """The current it gives: at most `available`, set by the bank."""
        self.drawn = 0.0
        """The current it takes."""

    @property
    def net(self) -> float:
        """The current into the battery: given less taken."""
        return self.current - self.drawn


class Bank:
    """A battery of cells in series: coulomb counting, resistance, and a drop that takes minutes to relax."""

    def __init__(self, *, cells: int, capacity: float, resistance: float, state_of_charge: float) -> None:
        self.cells = cells
        self.capacity = capacity
        """Ah."""
        self.resistance = resistance
        """Ohm; half of it acts at once, half slowly."""
        self.charge = state_of_charge * capacity
        """Ah in the battery."""
        self.current = 0.0
        """A, positive while charging."""
        self.cut_off = False
        """Whether the battery's management allows no discharge."""
        self.temperature = 18.0
        self.branches: list[Branch] = []
        self._slow_drop = 0.0
        self.voltage = cells * rest_voltage(state_of_charge)

    @property
    def state_of_charge(self) -> float:
        """The state of charge, 0 to 1; a little above 1 while the battery is charged beyond full."""
        return self.charge / self.capacity

    def attach(self) -> Branch:
        """Return a new branch."""
        branch = Branch()
        self.branches.append(branch)
        return branch

    def settle(self, dt: float) -> None:
        """Share the current out, find the voltage, and count `dt` seconds of charge."""
        self._protect()
        rest = self.cells * rest_voltage(self.state_of_charge) + self._slow_drop
        drawn = sum(branch.drawn for branch in self.branches)
        fast = self.resistance / 2
        given = 0.0
        for setpoint, group in groupby(sorted(self.branches, key=_falling), key=_setpoint):
            sources = list(group)
            offered = sum(branch.available for branch in sources)
            wanted = (setpoint - rest) / fast + drawn - given
            share = min(max(wanted / offered, 0.0), 1.0) if offered else 0.0
            for branch in sources:
                branch.current = branch.available * share
            given += offered * share
        self.current = given - drawn
        self.voltage = rest + fast * self.current
        self.charge += self.current * dt / 3600
        self._slow_drop += (self.current * fast - self._slow_drop) * min(dt / RELAXATION, 1.0)

    def _protect(self) -> None:
        soc = self.state_of_charge
        self.cut_off = soc < CUT_ON if self.cut_off else soc <= CUT_OFF
        if self.cut_off:
            for branch in self.branches:
                branch.drawn = 0.0

    def warm(self, air: float, dt: float) -> None:
        """Follow the temperature of the air slowly, with a little heat of its own."""
        target = air + 2 + 0.5 * self.resistance * self.current**2 / 10
        self.temperature += (target - self.temperature) * min(dt / 20000, 1.0)


def _falling(branch: Branch) -> float:
    return -branch.setpoint


def _setpoint(branch: Branch) -> float:
    return branch.setpoint
