"""Find, connect, pair, read, subscribe, disconnect, twice, through bleak and BlueZ: `connect.py PIN`.

Prints one JSON object a round; the second uses the bond of the first. The agent here types the PIN, nothing else.
"""

import asyncio
import json
import sys
import time

from bleak import BleakClient, BleakScanner
from dbus_fast import BusType, Message
from dbus_fast.aio import MessageBus
from dbus_fast.service import ServiceInterface, dbus_method

from bluewatt.tables.gatt import COMPANY_ID

OPEN, SECRET, NOTIFYING = (f"1111000{n}-2222-4333-8444-555566667777" for n in range(2, 5))


class Agent(ServiceInterface):
    """BlueZ asks it for the passkey; the type texts are D-Bus signatures."""

    def __init__(self, pin: str) -> None:
        super().__init__("org.bluez.Agent1")
        self.pin, self.asked = int(pin), 0

    @dbus_method()
    def RequestPasskey(self, device: "o") -> "u":  # type: ignore[name-defined] # noqa: F821, N802
        self.asked += 1
        return self.pin

    @dbus_method()
    def Cancel(self):  # type: ignore[no-untyped-def] # noqa: N802
        return


async def register(agent: Agent) -> MessageBus:
    bus = await MessageBus(bus_type=BusType.SYSTEM).connect()
    bus.export("/bluewatt/agent", agent)
    for member, signature, body in (
        ("RegisterAgent", "os", ["/bluewatt/agent", "KeyboardOnly"]),
        ("RequestDefaultAgent", "o", ["/bluewatt/agent"]),
    ):
        call = Message(
            destination="org.bluez",
            path="/org/bluez",
            interface="org.bluez.AgentManager1",
            member=member,
            signature=signature,
            body=body,
        )
        await bus.call(call)
    return bus


async def round_trip(agent: Agent) -> dict[str, object]:
    device = await BleakScanner.find_device_by_filter(lambda device, heard: COMPANY_ID in heard.manufacturer_data)
    if device is None:
        return {"error": "not found"}
    begun = time.monotonic()
    counted: list[int] = []
    async with BleakClient(device) as client:
        told = {"address": device.address, "connect_s": round(time.monotonic() - begun, 3)}
        value = bytes(await client.read_gatt_char(OPEN)).decode()
        paired_at = time.monotonic()
        await client.pair()
        told["pair_s"] = round(time.monotonic() - paired_at, 3)
        secret = bytes(await client.read_gatt_char(SECRET)).decode()
        await client.start_notify(NOTIFYING, lambda sender, data: counted.append(int.from_bytes(data, "little")))
        await asyncio.sleep(2)
    return told | {"open": value, "secret": secret, "asked": agent.asked, "counted": counted}


async def main(pin: str) -> None:
    agent = Agent(pin)
    bus = await register(agent)
    for _ in range(2):
        print(json.dumps(await round_trip(agent)), flush=True)
    bus.disconnect()


asyncio.run(main(sys.argv[1]))
