"""The sources `usb:0`, `hci-socket:0`, `tcp-client:HOST:PORT` …: what an adapter hears whose host this process is."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from bluewatt.app.connect import frames_of, open_central
from bluewatt.transports.ble.nested_scan import ScanningSource

if TYPE_CHECKING:
    from bluewatt.transports.ble.scan import BleSource


class HostedSource(ScanningSource):
    """The advertisements heard through the radio of a transport string; entering raises what `open_central` raises."""

    def __init__(self, radio: str) -> None:
        super().__init__()
        self.radio = radio

    async def _scanner(self, stack: AsyncExitStack) -> BleSource:
        central = await stack.enter_async_context(open_central(self.radio))
        return await stack.enter_async_context(frames_of(central))
