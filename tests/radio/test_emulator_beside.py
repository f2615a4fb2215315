"""What an emulated device does beside VictronConnect's protocol: the documented service, VE.Smart broadcasts, MQTT."""

from __future__ import annotations

import asyncio
import shutil
import socket
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import pytest
from bleak import BleakClient, BleakScanner
from bleak.exc import BleakGATTProtocolError
from bumble.device import Device

from bluewatt.app.emulation import EmulatedDeviceConfig, Emulator, feed_values
from bluewatt.errors import AdapterUnavailable, BrokerError, ConfigError
from bluewatt.services.network_member import SHARED
from bluewatt.tables.gatt import (
    CHARACTERISTIC_HANDLES,
    COMPANY_ID,
    DATA_SERVICE,
    SECOND_DATA_SERVICE,
    SHUNT_SERVICE,
    DataCharacteristic,
)
from bluewatt.tables.registers import by_key
from bluewatt.tables.smartshunt import CHARACTERISTICS, MEASUREMENTS
from bluewatt.transports.mqtt_values import Topic, messages
from bluewatt.transports.virtual.bleak_backend import VirtualAdapter
from bluewatt.wire.instant_readout.advertisement import decode_advertisement
from bluewatt.wire.smartshunt import BY_METRIC, decode_characteristic
from bluewatt.wire.vesmart.broadcast import Network, is_vesmart
from bluewatt.wire.vesmart.network import ContentHeard, NetworkReceiver

NETWORK = Network.of("d3a0", "11" * 16)
VOLTAGE = BY_METRIC["battery_voltage"].uuid


# the documented service


async def test_the_documented_service_reads_and_notifies(radio, adapter, emulator) -> None:
    heard: dict[str, list[bytes]] = {row.uuid: [] for row in MEASUREMENTS}
    async with emulator(radio, EmulatedDeviceConfig(family="smartshunt"), fed=True) as running:
        device = running.running[0].device
        running.feed({"battery_voltage": 12.5, "battery_current": -4.0, "state_of_charge": 80.0})
        async with BleakClient(device.address, backend=adapter.client, timeout=5, pair=True) as client:
            service = client.services.get_service(SHUNT_SERVICE)
            assert service is not None
            assert {characteristic.uuid for characteristic in service.characteristics} == {
                row.uuid for row in CHARACTERISTICS
            }
            assert await client.read_gatt_char(CHARACTERISTICS[0].uuid) == b""
            shown = {
                row.metric: decode_characteristic(row.uuid, bytes(await client.read_gatt_char(row.uuid)))
                for row in MEASUREMENTS
            }
            assert shown["battery_voltage"] == 12.5
            assert shown["battery_power"] == -50
            assert shown["state_of_charge"] == 80
            assert shown["midpoint_voltage"] is shown["temperature"] is shown["time_to_go"] is None
            for row in MEASUREMENTS:
                await client.start_notify(row.uuid, lambda sender, data: heard[sender.uuid].append(bytes(data)))
            running.feed({"battery_voltage": 12.6})
            await asyncio.sleep(0.1)
            assert [decode_characteristic(VOLTAGE, data) for data in heard[VOLTAGE]] == [12.6]
            running.feed({"battery_voltage": 12.6})
            await asyncio.sleep(0.1)
            assert len(heard[VOLTAGE]) == 1
            with pytest.raises(BleakGATTProtocolError) as refused:
                await client.write_gatt_char(CHARACTERISTICS[0].uuid, b"\1\2\3", response=True)
            assert refused.value.code == 0x0D
            with pytest.raises(BleakGATTProtocolError):
                await client.write_gatt_char(VOLTAGE, b"\0\0", response=True)


async def test_only_a_smartshunt_has_it(radio, adapter, emulator) -> None:
    async with (
        emulator(radio, EmulatedDeviceConfig(family="bmv712")) as running,
        BleakClient(running.running[0].device.address, backend=adapter.client, timeout=5) as client,
    ):
        assert client.services.get_service(SHUNT_SERVICE) is None


@pytest.mark.parametrize(
    ("family", "layout"), [("smartshunt", "smartshunt"), ("mppt", "smartshunt"), ("orion", "orion")]
)
async def test_the_handles_are_those_of_real_devices(radio, adapter, emulator, family: str, layout: str) -> None:
    services = (DATA_SERVICE, SECOND_DATA_SERVICE)
    known = {role.uuid_in(service): role for service in services for role in DataCharacteristic}
    async with (
        emulator(radio, EmulatedDeviceConfig(family=family)) as running,
        BleakClient(running.devices[0].address, backend=adapter.client, timeout=5) as client,
    ):
        listed = [characteristic for service in client.services for characteristic in service.characteristics]
        handles = {one.handle: known[one.uuid] for one in listed if one.uuid in known}
    assert handles == CHARACTERISTIC_HANDLES[layout]


# VE.Smart networking


async def test_a_network_of_chargers_and_a_battery_sensor(radio, adapter, emulator, talk) -> None:
    receiver = NetworkReceiver([NETWORK])
    told: dict[str, set[int]] = {}
    readouts: set[str] = set()

    def hear(device, data) -> None:
        payload = data.manufacturer_data.get(COMPANY_ID, b"")
        if not is_vesmart(payload):
            readouts.add(device.address)
            return
        for event in receiver.receive(payload):
            if isinstance(event, ContentHeard):
                told.setdefault(device.address, set()).update(value.register for value in event.content.records)

    plans = [EmulatedDeviceConfig(family=key) for key in ("smartshunt", "mppt", "ip22")]
    scanner = BleakScanner(hear, backend=adapter.scanner)
    await scanner.start()
    async with emulator(radio, *plans, network=NETWORK, speed=10) as running:
        await asyncio.sleep(2)
        await scanner.stop()
        for one in running.running:
            table = one.device.family.table
            rows = [by_key(register, table) for register in SHARED[table]]
            possible = {row.id for row in rows if row is not None}
            assert told[one.device.address]
            assert told[one.device.address] <= possible
            assert one.device.address in readouts
        assert receiver.counts.authentication_failures == receiver.counts.malformed == 0
        assert receiver.counts.delivered > 30
        async with talk(adapter, running.running[0].device.address) as session:
            assert isinstance((await session.get(3, 0xED8D))[0], bytes)


def test_a_real_radio_needs_insistence() -> None:
    with pytest.raises(ConfigError, match="overcharge"):
        Emulator([EmulatedDeviceConfig(family="mppt")], "usb:0", network=NETWORK)
    with pytest.raises(ConfigError, match="overcharge"):
        Emulator([EmulatedDeviceConfig(family="mppt")], "vhci", network=NETWORK)
    assert Emulator([EmulatedDeviceConfig(family="mppt")], "vhci", network=NETWORK, transmit=True).air.real


# MQTT


def test_topics() -> None:
    assert Topic.of("mqtt://broker/boat/battery") == Topic("broker", 1883, "boat/battery", None, None, False)
    everything = Topic.of("mqtts://me:s%40fe@broker:1234/boat/#")
    assert everything == Topic("broker", 1234, "boat/#", "me", "s@fe", True)
    for url in ("mqtt://broker", "mqtt:///boat", "http://broker/boat"):
        with pytest.raises(ConfigError):
            Topic.of(url)


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[int]:
    program = shutil.which("mosquitto", path="/usr/sbin:/usr/bin:/usr/local/sbin")
    if program is None:
        pytest.skip("mosquitto is not installed")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    (tmp_path / "broker.conf").write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\n")
    process = await asyncio.create_subprocess_exec(
        program, "-c", str(tmp_path / "broker.conf"), stderr=asyncio.subprocess.DEVNULL
    )
    while True:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                break
        await asyncio.sleep(0.05)
    yield port
    process.terminate()
    await process.wait()


@pytest.mark.wall_clock
async def test_values_from_a_topic(broker: int, radio, emulator) -> None:
    import aiomqtt

    problems: list[str] = []
    async with emulator(radio, EmulatedDeviceConfig(family="smartshunt"), fed=True) as running:
        source = feed_values(f"mqtt://127.0.0.1:{broker}/boat/#", problems.append)
        feeding = asyncio.create_task(running.feed_from(source))
        shown = running.running[0].device.plant.record(0).as_dict()
        async with aiomqtt.Client("127.0.0.1", broker) as publisher:
            while not problems or None in (shown["battery_voltage"], shown["state_of_charge"]):
                await publisher.publish("boat/battery/battery_voltage", "12.75")
                await publisher.publish("boat/battery", '{"state_of_charge": 66}')
                await publisher.publish("boat/battery/name", "not JSON")
                await asyncio.sleep(0.1)
                shown = running.running[0].device.plant.record(0).as_dict()
        feeding.cancel()
        await asyncio.gather(feeding, return_exceptions=True)
    assert (shown["battery_voltage"], shown["state_of_charge"]) == (12.75, 66)
    assert problems
    assert "boat/battery/name" in problems[0]


async def test_a_broker_that_is_not_there_is_said_at_once() -> None:
    async with aclosing(messages("mqtt://127.0.0.1:1/boat")) as source:
        with pytest.raises(BrokerError):
            await anext(source)


async def test_two_hosts_one_after_the_other(radio, emulator) -> None:
    """An adapter that leaves without a word frees the device."""
    async with emulator(radio, EmulatedDeviceConfig(family="phoenix")) as running:
        address = running.running[0].device.address
        async with VirtualAdapter(radio, address="F0:00:00:00:00:03", pin="000000") as first:
            client = BleakClient(address, backend=first.client, timeout=5)
            await client.connect()
            controller = next(one for one in radio.air.controllers if address in map(_text, one.le_connections))
            radio.air.remove_controller(controller)
            await asyncio.sleep(0.1)
            assert running.running[0].peripheral.client is None
            radio.air.add_controller(controller)  # the radio takes it away itself at the end
        async with (
            VirtualAdapter(radio, address="F0:00:00:00:00:04", pin="000000") as second,
            BleakClient(address, backend=second.client, timeout=5, pair=True) as client,
        ):
            assert client.is_connected


def _text(address) -> str:
    return address.to_string(False)


# radios


async def test_an_adapter_that_is_reached_by_hci_is_one_device_and_its_broadcasts(radio, adapter, talk) -> None:
    """The way to real adapters, but for the adapter: a controller behind a socket, this process its host."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    await radio.attach(f"tcp-server:127.0.0.1:{port}")
    heard: set[int] = set()
    where = f"tcp-client:127.0.0.1:{port}"
    plan = EmulatedDeviceConfig(family="mppt", name="Roof")
    async with Emulator([plan], where, seed=5, network=NETWORK, transmit=True, speed=5) as running:
        device = running.running[0].device

        def hear(found, data) -> None:
            if found.address == device.address:
                heard.add(data.manufacturer_data[COMPANY_ID][0])

        async with BleakScanner(hear, backend=adapter.scanner):
            for _ in range(40):
                await asyncio.sleep(0.1)
                if {0x10, 0x02} <= heard:
                    break
        assert {0x10, 0x02} <= heard
        async with talk(adapter, device.address) as session:
            assert await session.get(0, 0x010C) == [b"Roof"]
            assert await session.get(0, 0xEC12) == [NETWORK.network_id]
            assert await session.set(0, 0x010C, b"Bow") == b"Bow"
        async with BleakClient(device.address, backend=adapter.client, timeout=5) as client:
            assert await client.read_gatt_char("00002a00-0000-1000-8000-00805f9b34fb") == b"Bow"
    with pytest.raises(AdapterUnavailable):
        async with Emulator([plan, plan], where, seed=5):
            pass


async def test_an_old_adapter_without_advertising_sets(radio, adapter, emulator, monkeypatch) -> None:
    monkeypatch.setattr(Device, "supports_le_extended_advertising", property(lambda self: False))
    async with emulator(radio, EmulatedDeviceConfig(family="smartshunt"), fed=True) as running:
        device = running.running[0].device
        payloads: list[bytes] = []

        def hear(found, data) -> None:
            payloads.append(data.manufacturer_data[COMPANY_ID])

        async with BleakScanner(hear, backend=adapter.scanner):
            await asyncio.sleep(1)
            running.feed({"battery_voltage": 12.5})
            await asyncio.sleep(1)
        voltages = {decode_advertisement(one, device.key).as_dict()["battery_voltage"] for one in payloads}
        assert voltages == {None, 12.5}
        for _ in range(2):
            async with BleakClient(device.address, backend=adapter.client, timeout=5, pair=True) as client:
                assert client.is_connected


async def test_a_member_without_memory_never_counts_what_it_counted_before() -> None:
    plans, counters = [EmulatedDeviceConfig(family="smartshunt")], []
    for _ in range(2):
        made = Emulator(plans, seed=7, network=NETWORK)
        counters.append(made.devices[0].memory.content.counter)
        await asyncio.sleep(0.01)
    assert counters[0] is not None
    assert counters[1] > counters[0] > 1_700_000_000_000
