"""The documented SmartShunt service on a connected bleak client: registers as plain characteristics.

Read-only but for its keep-alive, which is written as the service wants it (protocol page smartshunt-gatt, section 4).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator, Sequence
from functools import partial

from bleak import BleakClient
from bleak.backends.characteristic import BleakGATTCharacteristic

from bluewatt.errors import DeviceRefused, LinkLost
from bluewatt.tables.gatt import SHUNT_SERVICE, ResultCode
from bluewatt.tables.smartshunt import KEEP_ALIVE, MEASUREMENTS
from bluewatt.transports.ble.channel import Answer, Clock
from bluewatt.transports.ble.link_errors import LinkErrors, is_unpaired, link_lost, pin_needed, refused
from bluewatt.wire.smartshunt import KeepAlive

_BY_REGISTER = {row.register: row for row in MEASUREMENTS}


class ShuntChannel:
    """The questions of `Channel` for the registers of the service; it refuses all others as unknown."""

    def __init__(
        self,
        client: BleakClient,
        name: str,
        *,
        instance: int,
        on_value: Callable[[int, int, bytes], None],
        clock: Clock | None = None,
    ) -> None:
        self._client = client
        self._name = name
        self._instance = instance
        self._on_value = on_value
        self._clock = clock or Clock()
        self._keeping: asyncio.Task[None] | None = None
        self._gone: LinkLost | None = None
        self._notifying = False

    @staticmethod
    def serves(client: BleakClient) -> bool:
        """Return whether the connected device has the service."""
        return client.services.get_service(SHUNT_SERVICE) is not None

    async def read_header(self) -> None:
        """Read a value in place of a header, which shows whether the link is paired."""
        await self._client.read_gatt_char(MEASUREMENTS[0].uuid)

    async def open(self) -> None:
        """Begin to send keep-alives."""
        self._keeping = asyncio.create_task(self._keep_alive(), name=f"keep-alive of {self._name}")

    async def close(self) -> None:
        """Send no more keep-alives."""
        self.lost(LinkLost(f"the connection to {self._name} was closed"))
        if self._keeping:
            self._keeping.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._keeping

    def lost(self, error: LinkLost) -> None:
        """Refuse further questions with `error`: the connection ended."""
        self._gone = self._gone or error

    async def devices(self) -> tuple[tuple[int, int], ...]:
        """Return the only instance of the service."""
        return ((self._instance, 1),)

    async def subscribe(self, instance: int) -> bool:
        """Subscribe to every characteristic that can notify."""
        if self._notifying or instance != self._instance:
            return self._notifying
        self._notifying = True
        for row in MEASUREMENTS:
            part = self._client.services.get_characteristic(row.uuid)
            if part and "notify" in part.properties:
                with self._translated():
                    await self._client.start_notify(part, partial(self._notified, row.register))
        return True

    def _notified(self, register: int, sender: BleakGATTCharacteristic, data: bytearray) -> None:
        self._on_value(self._instance, register, bytes(data))

    async def ask(self, instance: int, registers: Sequence[int]) -> dict[int, Answer]:
        """Read the characteristics of registers."""
        return {register: await self._ask(instance, register) for register in registers}

    async def _ask(self, instance: int, register: int) -> Answer:
        row = _BY_REGISTER.get(register)
        part = self._client.services.get_characteristic(row.uuid) if row and not self._gone else None
        if self._gone:
            raise self._gone
        if part is None or instance != self._instance:
            return refused(self._name, register, ResultCode.UNKNOWN_REGISTER)
        with self._translated():
            raw = bytes(await self._client.read_gatt_char(part))
        self._on_value(instance, register, raw)
        return raw

    async def write(self, instance: int, register: int, raw: bytes) -> None:
        """Raise DeviceRefused: the service takes no settings."""
        raise DeviceRefused(
            f"{self._name} takes settings over VictronConnect's service only",
            register=register,
            code=ResultCode.ACCESS_REFUSED,
        )

    async def _keep_alive(self) -> None:
        timer = KeepAlive(self._clock.now())
        while self._gone is None:
            try:
                await self._client.write_gatt_char(KEEP_ALIVE.uuid, timer.renew(self._clock.now()), response=True)
            except LinkErrors:
                return  # the connection ends, and the disconnection is reported by itself
            except Exception as error:  # whatever else it is: the device will hang up, and nobody should wait for that
                lost = LinkLost(f"{self._name} took no keep-alive: {str(error) or type(error).__name__}")
                lost.__cause__ = error
                return self.lost(lost)
            await asyncio.sleep(max(timer.renew_at - self._clock.now(), 0) / self._clock.speed)

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except LinkErrors as error:
            raise (pin_needed(self._name) if is_unpaired(error) else link_lost(self._name)) from error
