"""A bleak client whose traffic is recorded, for `bluewatt capture`."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import Any

from bleak import BleakClient
from bleak.backends.characteristic import BleakGATTCharacteristic

from bluewatt.wire.containers.link_trace import LinkTrace

_Callback = Callable[[BleakGATTCharacteristic, bytearray], Awaitable[None] | None]


def recording_client(trace: LinkTrace) -> type[BleakClient]:
    """Return a class of clients that record what they read, write and are notified of in `trace`."""

    class RecordingClient(BleakClient):
        """A client that records its traffic."""

        async def connect(self, **options: Any) -> None:
            """Connect, then write the beginning of the connection."""
            await super().connect(**options)
            uuids = {part.handle: part.uuid for part in self.services.characteristics.values()}
            trace.connected(self.address, {_value(handle): uuid for handle, uuid in uuids.items()}, self.mtu_size)

        async def disconnect(self) -> None:
            """Disconnect and write the end."""
            await super().disconnect()
            trace.disconnected()

        async def read_gatt_char(self, char_specifier: Any, **options: Any) -> bytearray:
            """Read and record."""
            data = await super().read_gatt_char(char_specifier, **options)
            trace.read(self._place(char_specifier), bytes(data))
            return data

        async def write_gatt_char(self, char_specifier: Any, data: Any, response: bool | None = None) -> None:
            """Record and write."""
            trace.wrote(self._place(char_specifier), bytes(data), response=bool(response))
            await super().write_gatt_char(char_specifier, data, response)

        async def start_notify(self, char_specifier: Any, callback: _Callback, **options: Any) -> None:
            """Record what arrives before it is handed on."""
            place = self._place(char_specifier)

            def heard(sender: BleakGATTCharacteristic, data: bytearray) -> Any:
                trace.notified(place, bytes(data))
                return callback(sender, data)

            async def waited(sender: BleakGATTCharacteristic, data: bytearray) -> None:
                trace.notified(place, bytes(data))
                answer = callback(sender, data)
                if answer is not None:
                    await answer

            chosen = waited if inspect.iscoroutinefunction(callback) else heard
            await super().start_notify(char_specifier, chosen, **options)

        def _place(self, char_specifier: Any) -> int:
            found = (
                char_specifier
                if isinstance(char_specifier, BleakGATTCharacteristic)
                else self.services.get_characteristic(char_specifier)
            )
            return _value(found.handle) if found is not None else 0

    return RecordingClient


def _value(handle: int) -> int:
    """Return the value handle: bleak gives that of the declaration, which is the one before."""
    return handle + 1
