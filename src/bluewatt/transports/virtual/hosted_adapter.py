"""This process as the Bluetooth host of an adapter behind a transport string: a central without a system service.

"usb:0" or "hci-socket:0" is a real adapter that no other system uses meanwhile, "tcp-client:127.0.0.1:7001" the virtual
adapter that an emulator in another process serves.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Self

from bumble.core import BaseBumbleError
from bumble.device import Device, DeviceConfiguration
from bumble.hci import Address

from bluewatt.errors import AdapterUnavailable
from bluewatt.transports.hci_transport import Hci

_ANSWER_TIME = 5.0  # seconds an adapter may take for its first answer

_SILENT = "the adapter {} does not answer"
_HUNG_UP = "{} hung up at once: it serves one program at a time, and another is connected; end that one first"


class HostedAdapter:
    """Where a `VirtualAdapter` gets its device from: here a real or remote controller in place of a virtual radio.

    Entering raises AdapterUnavailable where the transport does not open or nothing answers behind it; an adapter that
    goes away later interrupts the body of the `async with` with the same error.
    """

    def __init__(self, transport: str) -> None:
        self.transport = transport
        self._open = AsyncExitStack()

    async def __aenter__(self) -> Self:
        hung_up = False
        try:
            async with AsyncExitStack() as stack:
                hci = await stack.enter_async_context(Hci(self.transport))
                self._host = hci.host()
                try:
                    await asyncio.wait_for(self._host.reset(), _ANSWER_TIME)
                except (TimeoutError, BaseBumbleError) as error:
                    hung_up = hci.opened.source.terminated.done()
                    raise AdapterUnavailable(_SILENT.format(self.transport), reason="missing") from error
                self._open = stack.pop_all()
        except AdapterUnavailable as error:
            if hung_up:
                raise AdapterUnavailable(_HUNG_UP.format(self.transport), reason="busy") from error
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._open.__aexit__(kind, error, trace)

    def device(self, address: str, *, name: str = "bluewatt") -> Device:
        """The device of the adapter, not powered on yet; there is one."""
        config = DeviceConfiguration()
        config.name, config.address = name, Address(address, Address.RANDOM_DEVICE_ADDRESS)
        return Device(config=config, host=self._host)
