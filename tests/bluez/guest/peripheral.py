"""One connectable device with services on the guest's own adapter: `peripheral.py TRANSPORT PIN`, until killed.

A read of OPEN needs nothing, one of SECRET a pairing with the PIN; NOTIFYING counts up twenty times a second.
"""

from __future__ import annotations

import asyncio
import sys

from bumble.gatt import Characteristic, Service
from bumble.pairing import PairingConfig, PairingDelegate

from bluewatt.transports.advertising import advertising_data, scan_response_data
from bluewatt.transports.virtual.radio import VirtualRadio

ADDRESS = "C2:00:00:00:00:07"
SERVICE, OPEN, SECRET, NOTIFYING = (f"1111000{n}-2222-4333-8444-555566667777" for n in range(1, 5))
May, Can = Characteristic.Permissions, Characteristic.Properties


class Label(PairingDelegate):
    """The PIN printed on the device."""

    def __init__(self, pin: str) -> None:
        super().__init__(PairingDelegate.IoCapability.DISPLAY_OUTPUT_ONLY)
        self._pin = pin

    async def generate_passkey(self) -> int:
        return int(self._pin)

    async def display_number(self, number: int, digits: int = 6) -> None:
        print(f"PIN asked for at {asyncio.get_running_loop().time():.1f}", flush=True)


def pairing(pin: str) -> PairingConfig:
    random = PairingConfig.AddressType.RANDOM
    return PairingConfig(sc=True, mitm=True, bonding=True, identity_address_type=random, delegate=Label(pin))


async def serve(transport: str, pin: str) -> None:
    async with VirtualRadio() as radio:
        device = radio.device(ADDRESS, name="Peripheral")
        device.pairing_config_factory = lambda connection: pairing(pin)
        protected = May.READABLE | May.READ_REQUIRES_ENCRYPTION | May.READ_REQUIRES_AUTHENTICATION
        notifying = Characteristic(NOTIFYING, Can.NOTIFY, May.READABLE, b"")
        opened = Characteristic(OPEN, Can.READ, May.READABLE, b"open")
        secret = Characteristic(SECRET, Can.READ, protected, b"secret")
        device.add_service(Service(SERVICE, [opened, secret, notifying]))
        await device.power_on()
        await device.start_advertising(
            auto_restart=True,
            advertising_data=advertising_data(b"\x10\x02peripheral"),
            scan_response_data=scan_response_data("Peripheral"),
            advertising_interval_min=100,
            advertising_interval_max=100,
        )
        await radio.attach(transport)
        for count in range(1 << 16):
            await asyncio.sleep(0.05)
            await device.notify_subscribers(notifying, count.to_bytes(2, "little"))


asyncio.run(serve(sys.argv[1], sys.argv[2]))
