"""A watch on BlueZ that reports at once if the Bluetooth service restarts or an adapter goes away or is switched off.

A scan that ends in this way reports no error, and waiting until its silence is long enough loses minutes. Linux only:
elsewhere there is no such bus, and the silence has to do.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from bleak.exc import BleakDBusError

from bluewatt.transports.ble.bluez.bus import ADAPTER, BLUEZ, BUS, call, open_system_bus
from bluewatt.transports.resource import Resource

if TYPE_CHECKING:
    from dbus_fast import Message
    from dbus_fast.aio import MessageBus

_RULES = (
    f"type='signal',sender='{BUS}',interface='{BUS}',member='NameOwnerChanged',arg0='{BLUEZ}'",
    f"type='signal',sender='{BLUEZ}',interface='{BUS}.ObjectManager',member='InterfacesRemoved'",
    f"type='signal',sender='{BLUEZ}',interface='{BUS}.Properties',member='PropertiesChanged',arg0='{ADAPTER}'",
)


class BluezWatch(Resource):
    """A watch that calls `lost` with "service", "missing" or "off" when scans of `adapter` (None: any) end."""

    def __init__(self, adapter: str | None, lost: Callable[[str], None]) -> None:
        self._adapter = adapter
        self._lost = lost
        self._bus: MessageBus | None = None

    async def _open(self, stack: contextlib.AsyncExitStack) -> None:
        bus = self._bus = await stack.enter_async_context(open_system_bus())
        bus.add_message_handler(self._on_message)
        stack.callback(bus.remove_message_handler, self._on_message)
        for rule in _RULES:
            await call(bus, "/org/freedesktop/DBus", BUS, "AddMatch", "s", [rule], destination=BUS)

    async def switched_off(self) -> bool:
        """Return whether the chosen adapter says that it is off; a passive scan of it would just receive nothing."""
        if self._adapter is None or self._bus is None:
            return False
        with contextlib.suppress(BleakDBusError):
            body = [ADAPTER, "Powered"]
            (powered,) = await call(self._bus, f"/org/bluez/{self._adapter}", f"{BUS}.Properties", "Get", "ss", body)
            return not powered.value
        return False

    def _on_message(self, message: Message) -> None:
        reason = _SIGNALS.get(message.member or "", _nothing)(message, self._adapter)
        if reason:
            self._lost(reason)


async def open_watch(
    stack: contextlib.AsyncExitStack, adapter: str | None, lost: Callable[[str], None]
) -> BluezWatch | None:
    """Return a watch that is open until the stack is closed; None without a system bus, which a scan itself reports."""
    with contextlib.suppress(BleakDBusError, OSError, EOFError):
        return await stack.enter_async_context(BluezWatch(adapter, lost))
    return None


def _nothing(message: Message, adapter: str | None) -> str | None:
    return None


def _owner_changed(message: Message, adapter: str | None) -> str | None:
    return "service" if message.body[0] == BLUEZ else None


def _interfaces_removed(message: Message, adapter: str | None) -> str | None:
    path, interfaces = message.body
    return "missing" if ADAPTER in interfaces and _is_ours(path, adapter) else None


def _properties_changed(message: Message, adapter: str | None) -> str | None:
    interface, changed = message.body[0], message.body[1]
    ours = interface == ADAPTER and _is_ours(message.path or "", adapter)
    return "off" if ours and _says_off(changed) else None


def _says_off(changed: Mapping[str, Any]) -> bool:
    return "Powered" in changed and not changed["Powered"].value


def _is_ours(path: str, adapter: str | None) -> bool:
    return adapter is None or path.rsplit("/", 1)[-1] == adapter


_SIGNALS: dict[str, Callable[[Message, str | None], str | None]] = {
    "NameOwnerChanged": _owner_changed,
    "InterfacesRemoved": _interfaces_removed,
    "PropertiesChanged": _properties_changed,
}
