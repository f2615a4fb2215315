"""The writing half of a link over Bluetooth, apart from the link: a `BleLink` alone cannot write."""

from __future__ import annotations

import logging

from bluewatt.errors import LinkLost
from bluewatt.transports.ble.channel import Channel

_log = logging.getLogger(__name__)


class BleWriter:
    """The port `Writer` over Bluetooth: made before its link, given to it, and from there on only to the commander."""

    def __init__(self) -> None:
        self.channel: Channel | None = None
        """The channel of the open link; None before it is open."""

    async def write(self, register: int, raw: bytes, instance: int) -> None:
        """Write a register; raises DeviceRefused if the device says no, LinkLost if the link is not open."""
        if self.channel is None:
            raise LinkLost("the link is not open")
        _log.debug("writing register 0x%04X of instance %d: %s", register, instance, raw.hex(" "))
        await self.channel.write(instance, register, raw)
