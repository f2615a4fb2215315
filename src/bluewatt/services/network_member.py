"""A member of a VE.Smart network: which registers it shares, and a counter that never repeats.

Protocol page vesmart-networking, section 8. What real sensors send, and whether real chargers believe a stranger, is
unknown: this tests receivers, and real radios send it only if a person insists.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from bluewatt.services.plant import family_register, register_content
from bluewatt.tables.vesmart import RESTART_SKIP
from bluewatt.wire.vesmart.broadcast import Network, serial_number
from bluewatt.wire.vesmart.network import NetworkSender

_SENSOR = {
    "link_battery_voltage_sense": "battery_voltage",
    "link_battery_temperature_sense": "battery_temperature",
    "link_battery_current": "battery_current",
}
_CHARGER = {
    "link_charge_voltage_setpoint": "link_charge_voltage_setpoint",
    "link_device_state": "device_state",
    "link_total_charge_current": "charger_current",
}

SHARED: Final[dict[str, dict[str, str]]] = {
    "smartshunt": _SENSOR,
    "bmv": _SENSOR,
    "mppt": _CHARGER | {"pv_power": "pv_power"},
    "orion": _CHARGER,
    "charger": _CHARGER,
    "phoenix": {"battery_voltage": "battery_voltage"},
}
"""Family of the register table → the registers it shares, each with the value it shows (section 6: the 0x20xx set,
0xEDBC and 0xED8D)."""

ANNOUNCE: Final = 10.0
"""Seconds between two overflow records: a listener that comes later can read the values soon."""


class NetworkMember:
    """One device of a network, which seals its values for the others.

    `last_counter` is the last count that may have been used before a restart, None for a device that never broadcast.
    `reserve` keeps a count before any up to it is used, so that none is used twice whenever the process ends.
    """

    def __init__(
        self, network: Network, serial: str, family: str, *, last_counter: int | None = None,
        reserve: Callable[[int], None] = lambda counter: None,
    ) -> None:  # fmt: skip
        self.network = network
        self._family = family
        self._reserve = reserve
        self._sender = NetworkSender(network, serial_number(serial), last_counter=last_counter, announce=ANNOUNCE)
        self._reserved = self._sender.counter

    @property
    def serial(self) -> int:
        """The serial number as it stands in broadcasts."""
        return self._sender.serial

    @property
    def deadline(self) -> float:
        """When the next broadcast is due, on the clock of `due`."""
        return self._sender.deadline

    def due(self, at: float, values: Mapping[str, Any]) -> bytes | None:
        """Return the broadcast that is due at a time, if any; `values` are what the device's registers show."""
        self._sender.update(self._contents(values))
        if at < self._sender.deadline:
            return None
        if self._sender.counter >= self._reserved:
            self._reserved = self._sender.counter + RESTART_SKIP
            self._reserve(self._reserved)
        return self._sender.due(at)

    def _contents(self, values: Mapping[str, Any]) -> dict[int, bytes]:
        found: dict[int, bytes] = {}
        for register, key in SHARED.get(self._family, {}).items():
            row, value = family_register(register, self._family), values.get(key)
            content = None if value is None else register_content(row, value)
            if content is not None:
                found[row.id] = content
        return found

    def facts(self, unlocked: Callable[[], bool]) -> dict[str, Callable[[], Any]]:
        """Return what a member answers, by register key: identifier, name, and its key once it is `unlocked`.

        No capture shows a member give away the key (section 7: the registers are readable, the app asks for them).
        """
        return {
            "network_id": lambda: self.network.network_id,
            "network_key": lambda: bytes(self.network.key) if unlocked() else None,
            "network_name": lambda: self.network.name,
        }
