"""Calls to BlueZ on the system bus. Linux only: the library for D-Bus is imported when the bus is opened."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING, Any

from bleak.exc import BleakDBusError

if TYPE_CHECKING:
    from dbus_fast import Message
    from dbus_fast.aio import MessageBus

BLUEZ = "org.bluez"
"""The name of the Bluetooth service on the bus."""

ADAPTER = "org.bluez.Adapter1"
"""The interface of an adapter."""

BUS = "org.freedesktop.DBus"
"""The name and the interface of the bus itself, and how the names of the standard interfaces begin."""


@contextlib.asynccontextmanager
async def open_system_bus() -> AsyncIterator[MessageBus]:
    """Open a connection of our own to the system bus; raises OSError or EOFError if there is none or it refuses us."""
    from dbus_fast import BusType
    from dbus_fast.aio import MessageBus
    from dbus_fast.errors import DBusFastError

    try:
        bus = await MessageBus(bus_type=BusType.SYSTEM).connect()
    except DBusFastError as error:
        raise ConnectionRefusedError(str(error)) from error
    try:
        yield bus
    finally:
        bus.disconnect()


async def call(
    bus: MessageBus,
    path: str,
    interface: str,
    member: str,
    signature: str = "",
    body: Sequence[Any] = (),
    *,
    destination: str = BLUEZ,
) -> list[Any]:
    """Call a method, return the values of its answer; raises BleakDBusError if the answer is an error."""
    from dbus_fast import Message, MessageType

    message = Message(
        destination=destination,
        path=path,
        interface=interface,
        member=member,
        signature=signature,
        body=list(body),
    )
    reply: Message = await bus.call(message)
    if reply.message_type is MessageType.ERROR:
        raise BleakDBusError(reply.error_name or "", reply.body)
    return list(reply.body)
