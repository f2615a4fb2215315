"""Advertise some devices on the guest's own adapter: `site.py TRANSPORT COUNT`, until killed.

Device n sends payloads `10 02 n nonce…` once a second, each nonce once.
"""

from __future__ import annotations

import asyncio
import sys

from bluewatt.transports.virtual.radio import VirtualRadio


async def serve(transport: str, count: int) -> None:
    async with VirtualRadio() as radio:
        await radio.attach(transport)
        devices = [
            radio.advertiser(f"C2:00:00:00:00:{number:02X}", name=f"Device {number}", interval=0.5, rssi=-40 - number)
            for number in range(count)
        ]
        for nonce in range(1 << 16):
            for number, device in enumerate(devices):
                device.update(bytes((0x10, 0x02, number)) + nonce.to_bytes(2, "little") + bytes(13))
            await asyncio.sleep(1)


asyncio.run(serve(sys.argv[1], int(sys.argv[2])))
