"""An emulated member of a VE.Smart network: what it broadcasts, and a counter that no restart brings back.

Protocol page vesmart-networking, section 8. What real sensors send, and whether real chargers take a stranger's word,
is unknown: this tests receivers and is kept off real radios unless somebody insists.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from bluewatt.services.emulator.memory import Memory
from bluewatt.services.emulator.registers import RegisterStore, content
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
"""Register → value a family shares, by the keys of either table (section 6: the 0x20xx set, 0xEDBC and 0xED8D)."""


ANNOUNCE: Final = 10.0
"""Seconds between two overflow records: a listener that comes later can read the values soon."""


def network_facts(network: Network, unlocked: Callable[[], bool]) -> dict[str, Callable[[], Any]]:
    """Return what a member answers, by register key: identifier, name, and its key once it is `unlocked`.

    That a member tells the key is not on record (section 7: the registers are readable, the app asks for them).
    """
    return {
        "network_id": lambda: network.network_id,
        "network_key": lambda: bytes(network.key) if unlocked() else None,
        "network_name": lambda: network.name,
    }


class NetworkMember:
    """Seals the values of one device for its network; counts are reserved in its memory before they are used."""

    def __init__(self, network: Network, serial: str, memory: Memory, table: str) -> None:
        self.network = network
        self._memory = memory
        self._shared = SHARED.get(table, {})
        self._sender = NetworkSender(
            network, serial_number(serial), last_counter=memory.content.counter, announce=ANNOUNCE
        )
        self._reserved = self._sender.counter

    @property
    def deadline(self) -> float:
        """When the next broadcast is due."""
        return self._sender.deadline

    def due(self, at: float, values: Mapping[str, Any], registers: RegisterStore) -> bytes | None:
        """The broadcast that is due, if any."""
        self._sender.update(self._contents(values, registers))
        if at < self._sender.deadline:
            return None
        if self._sender.counter >= self._reserved:
            self._reserved = self._sender.counter + RESTART_SKIP
            self._memory.content.counter = self._reserved
            self._memory.save()
        return self._sender.due(at)

    def _contents(self, values: Mapping[str, Any], registers: RegisterStore) -> dict[int, bytes]:
        found: dict[int, bytes] = {}
        for register, key in self._shared.items():
            row, value = registers.row(register), values.get(key)
            raw = None if value is None else content(row, value)
            if isinstance(raw, bytes):
                found[row.id] = raw
        return found
