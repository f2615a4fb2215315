"""A watch on BlueZ: tells at once when the Bluetooth service restarts or an adapter goes away or is switched off.

A scan that dies of either says nothing, it only falls silent; waiting for the silence to be long enough loses minutes.
Linux only: elsewhere the system has no such bus and the silence has to do. So the library for it is imported when a
watch is opened, not with this module.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from dbus_fast import Message
    from dbus_fast.aio import MessageBus

_BLUEZ = "org.bluez"
_ADAPTER = "org.bluez.Adapter1"
_BUS = "org.freedesktop.DBus"
_RULES = (
    f"type='signal',sender='{_BUS}',interface='{_BUS}',member='NameOwnerChanged',arg0='{_BLUEZ}'",
    f"type='signal',sender='{_BLUEZ}',interface='{_BUS}.ObjectManager',member='InterfacesRemoved'",
    f"type='signal',sender='{_BLUEZ}',interface='{_BUS}.Properties',member='PropertiesChanged',arg0='{_ADAPTER}'",
)


class BluezWatch:
    """Calls `lost(reason)` with "service", "missing" or "off" when scans of `adapter` (None: any) have died."""

    def __init__(self, adapter: str | None, lost: Callable[[str], None]) -> None:
        self._adapter = adapter
        self._lost = lost
        self._bus: MessageBus | None = None

    async def __aenter__(self) -> Self:
        from dbus_fast import BusType
        from dbus_fast.aio import MessageBus

        self._bus = await MessageBus(bus_type=BusType.SYSTEM).connect()
        self._bus.add_message_handler(self._on_message)
        for rule in _RULES:
            await self._call(_BUS, "/org/freedesktop/DBus", _BUS, "AddMatch", "s", [rule])
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bus:
            self._bus.remove_message_handler(self._on_message)
            self._bus.disconnect()

    async def switched_off(self) -> bool:
        """Whether the chosen adapter says that it is off; a passive scan of it would just hear nothing."""
        from dbus_fast import DBusError, MessageType

        if self._adapter is None:
            return False
        with contextlib.suppress(DBusError):
            body = [_ADAPTER, "Powered"]
            reply = await self._call(_BLUEZ, f"/org/bluez/{self._adapter}", f"{_BUS}.Properties", "Get", "ss", body)
            return reply.message_type is MessageType.METHOD_RETURN and not reply.body[0].value
        return False

    async def _call(
        self, name: str, path: str, interface: str, member: str, signature: str, body: list[str]
    ) -> Message:
        from dbus_fast import Message

        assert self._bus
        return await self._bus.call(
            Message(destination=name, path=path, interface=interface, member=member, signature=signature, body=body)
        )

    def _on_message(self, message: Message) -> None:
        reason = _SIGNALS.get(message.member or "", _nothing)(message, self._adapter)
        if reason:
            self._lost(reason)


async def open_watch(
    stack: contextlib.AsyncExitStack, adapter: str | None, lost: Callable[[str], None]
) -> BluezWatch | None:
    """A watch that is open until the stack is closed; None where there is no system bus: a scan itself says so."""
    from dbus_fast import DBusError

    with contextlib.suppress(DBusError, OSError, EOFError):
        return await stack.enter_async_context(BluezWatch(adapter, lost))
    return None


def _nothing(message: Message, adapter: str | None) -> str | None:
    return None


def _owner_changed(message: Message, adapter: str | None) -> str | None:
    return "service" if message.body[0] == _BLUEZ else None


def _interfaces_removed(message: Message, adapter: str | None) -> str | None:
    path, interfaces = message.body
    return "missing" if _ADAPTER in interfaces and _is_ours(path, adapter) else None


def _properties_changed(message: Message, adapter: str | None) -> str | None:
    interface, changed = message.body[0], message.body[1]
    ours = interface == _ADAPTER and _is_ours(message.path or "", adapter)
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
