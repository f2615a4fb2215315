"""This process as the Bluetooth host of an adapter behind a transport string, without a system service.

"usb:0" or "hci-socket:0" is a real adapter that no other system uses meanwhile, "tcp-client:127.0.0.1:7001" the virtual
adapter that an emulator in another process serves.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, suppress
from typing import Self

from bumble.core import BaseBumbleError
from bumble.device import Device, DeviceConfiguration
from bumble.hci import Address
from bumble.host import Host

from bluewatt.errors import AdapterUnavailable
from bluewatt.transports.hci_errors import HUNG_UP
from bluewatt.transports.hci_transport import Hci
from bluewatt.transports.resource import Resource

ANSWER_TIME = 5.0
"""Seconds an adapter may take to answer when it is opened and when it is closed."""


class HostedAdapter(Resource):
    """An open adapter that answers; `device` makes the Bluetooth device of it.

    Entering raises AdapterUnavailable if the transport does not open, if nothing answers behind it, or if another
    program is connected to it; an adapter that goes away later interrupts the body of the `async with` with the same.
    """

    def __init__(self, transport: str) -> None:
        self.transport = transport
        self._host: Host | None = None
        self._hung_up = False
        self._closing = AsyncExitStack()

    async def __aenter__(self) -> Self:
        try:
            return await super().__aenter__()
        except AdapterUnavailable as error:
            if self._hung_up:
                raise AdapterUnavailable(HUNG_UP.format(self.transport), reason="busy") from error
            raise

    async def _open(self, stack: AsyncExitStack) -> None:
        hci = await stack.enter_async_context(Hci(self.transport))
        host = self._host = hci.host()
        try:
            await asyncio.wait_for(host.reset(), ANSWER_TIME)
        except (TimeoutError, BaseBumbleError) as error:
            self._hung_up = hci.opened.source.terminated.done()
            raise self._silent() from error
        self._closing = await stack.enter_async_context(AsyncExitStack())

    def device(self, address: str, *, name: str = "bluewatt") -> Device:
        """Return the device of the adapter, not powered on yet; there is one, and AdapterUnavailable for a second."""
        if self._host is None:
            raise AdapterUnavailable(f"the adapter {self.transport} can be one device at once", reason="full")
        host, self._host = self._host, None
        return make_device(host, address, name)

    async def powered_device(self, address: str, *, name: str = "bluewatt") -> Device:
        """Return the device powered on; it is switched off with the adapter. Raises AdapterUnavailable as entering."""
        device = self.device(address, name=name)
        try:
            await asyncio.wait_for(device.power_on(), ANSWER_TIME)
        except (TimeoutError, BaseBumbleError) as error:
            raise self._silent() from error
        self._closing.push_async_callback(_switch_off, device)
        return device

    def _silent(self) -> AdapterUnavailable:
        return AdapterUnavailable(f"the adapter {self.transport} does not answer", reason="missing")


def make_device(host: Host, address: str, name: str) -> Device:
    """Return a bumble device with a random static `address`, not powered on yet."""
    config = DeviceConfiguration()
    config.name, config.address = name, Address(address, Address.RANDOM_DEVICE_ADDRESS)
    return Device(config=config, host=host)


async def _switch_off(device: Device) -> None:
    with suppress(BaseBumbleError, TimeoutError):
        async with asyncio.timeout(ANSWER_TIME):
            await device.host.reset()
            await device.power_off()
