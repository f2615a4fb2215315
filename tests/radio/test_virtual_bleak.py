"""bleak's client on the virtual radio: connect, pair with a passkey, read, write, notifications, bonds, errors."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from bleak import BleakClient, BleakScanner
from bleak.exc import BleakCharacteristicNotFoundError, BleakError, BleakGATTProtocolError
from bumble.device import Connection, Device
from bumble.gatt import Characteristic, CharacteristicValue, Service
from bumble.keys import JsonKeyStore
from bumble.pairing import PairingConfig, PairingDelegate

from bluewatt.tables.gatt import COMPANY_ID
from bluewatt.transports.advertising import advertising_data, scan_response_data
from bluewatt.transports.virtual.bleak_backend import VirtualAdapter
from bluewatt.transports.virtual.radio import VirtualRadio

ADDRESS = "C2:00:00:00:00:07"
SERVICE, OPEN, SECRET, WRITTEN, NOTIFYING = (f"1111000{n}-2222-4333-8444-555566667777" for n in range(1, 6))
May = Characteristic.Permissions
Can = Characteristic.Properties
PAIRED_READ = May.READABLE | May.READ_REQUIRES_ENCRYPTION | May.READ_REQUIRES_AUTHENTICATION


class Display(PairingDelegate):
    """The peripheral's side of passkey entry: its PIN is on the label."""

    def __init__(self, pin: str) -> None:
        super().__init__(PairingDelegate.IoCapability.DISPLAY_OUTPUT_ONLY)
        self._pin = pin

    async def generate_passkey(self) -> int:
        return int(self._pin)

    async def display_number(self, number: int, digits: int = 6) -> None:
        """Nothing to do: it is printed."""


class Peripheral:
    def __init__(self, radio: VirtualRadio, *, pin: str = "014916", address: str = ADDRESS) -> None:
        self.device: Device = radio.device(address, name="Shunt")
        self.device.pairing_config_factory = lambda connection: PairingConfig(
            sc=True,
            mitm=True,
            bonding=True,
            identity_address_type=PairingConfig.AddressType.RANDOM,
            delegate=Display(pin),
        )
        self.written: list[bytes] = []
        self.notifying = Characteristic(NOTIFYING, Can.READ | Can.NOTIFY, May.READABLE, b"0")
        self.device.add_service(
            Service(
                SERVICE,
                [
                    Characteristic(OPEN, Can.READ, May.READABLE, b"open"),
                    Characteristic(SECRET, Can.READ, PAIRED_READ, b"secret"),
                    Characteristic(WRITTEN, Can.WRITE | Can.WRITE_WITHOUT_RESPONSE, May.WRITEABLE, self._sink()),
                    self.notifying,
                ],
            )
        )

    def _sink(self) -> CharacteristicValue[bytes]:
        return CharacteristicValue(write=lambda connection, value: self.written.append(bytes(value)))

    async def start(self, bonds: Path | None = None) -> None:
        await self.device.power_on()
        if bonds:
            self.device.keystore = JsonKeyStore(None, str(bonds))
        await self.device.start_advertising(
            auto_restart=True,
            advertising_data=advertising_data(b"\x10\x02"),
            scan_response_data=scan_response_data("Shunt"),
            advertising_interval_min=20,
            advertising_interval_max=20,
        )


@pytest.fixture
async def radio() -> AsyncIterator[VirtualRadio]:
    async with VirtualRadio() as radio:
        yield radio


@pytest.fixture
async def peripheral(radio: VirtualRadio) -> Peripheral:
    peripheral = Peripheral(radio)
    await peripheral.start()
    return peripheral


@pytest.fixture
async def adapter(radio: VirtualRadio) -> AsyncIterator[VirtualAdapter]:
    async with VirtualAdapter(radio, pin="014916") as adapter:
        yield adapter


async def test_a_whole_peripheral_advertises_as_the_light_one_does(
    peripheral: Peripheral, adapter: VirtualAdapter
) -> None:
    device = await BleakScanner.find_device_by_filter(
        lambda device, heard: heard.manufacturer_data.get(COMPANY_ID) == b"\x10\x02", backend=adapter.scanner, timeout=2
    )
    assert device is not None
    assert (device.address, device.name) == (ADDRESS, "Shunt")


async def test_connect_discover_read_write_and_notify(peripheral: Peripheral, adapter: VirtualAdapter) -> None:
    async with BleakClient(ADDRESS, backend=adapter.client, timeout=5) as client:
        assert client.mtu_size == 247
        service = client.services.get_service(SERVICE)
        assert service is not None
        assert [characteristic.uuid for characteristic in service.characteristics] == [OPEN, SECRET, WRITTEN, NOTIFYING]
        written = client.services.get_characteristic(WRITTEN)
        assert written is not None
        assert set(written.properties) == {"write", "write-without-response"}
        assert written.max_write_without_response_size == 244
        assert await client.read_gatt_char(OPEN) == b"open"
        await client.write_gatt_char(WRITTEN, b"with", response=True)
        await client.write_gatt_char(WRITTEN, b"without", response=False)
        heard: asyncio.Queue[bytes] = asyncio.Queue()
        await client.start_notify(NOTIFYING, lambda sender, value: heard.put_nowait(bytes(value)))
        for number in range(100):
            await peripheral.device.notify_subscribers(peripheral.notifying, bytes([number]))
        assert [await asyncio.wait_for(heard.get(), 2) for _ in range(100)] == [bytes([n]) for n in range(100)]
        await client.stop_notify(NOTIFYING)
        await peripheral.device.notify_subscribers(peripheral.notifying, b"unheard")
        await client.read_gatt_char(OPEN)
        assert heard.empty()
    assert peripheral.written == [b"with", b"without"]


async def test_a_protected_value_needs_the_right_pin(peripheral: Peripheral, adapter: VirtualAdapter) -> None:
    async with BleakClient(ADDRESS, backend=adapter.client, timeout=5) as client:
        with pytest.raises(BleakGATTProtocolError):
            await client.read_gatt_char(SECRET)
        await client.pair()
        assert await client.read_gatt_char(SECRET) == b"secret"


@pytest.mark.parametrize("pin", ["014917", None])
async def test_a_wrong_pin_and_no_pin_are_refused(
    peripheral: Peripheral, adapter: VirtualAdapter, pin: str | None
) -> None:
    adapter.pin = pin
    async with BleakClient(ADDRESS, backend=adapter.client, timeout=5) as client:
        with pytest.raises(BleakError):
            await client.pair()
        if client.is_connected:
            with pytest.raises(BleakGATTProtocolError):
                await client.read_gatt_char(SECRET)


async def test_a_bond_outlives_both_sides_and_can_be_forgotten(tmp_path: Path) -> None:
    ours, theirs = tmp_path / "ours.json", tmp_path / "theirs.json"

    async def secret(pin: str | None, *, forget: bool = False) -> bytes:
        async with VirtualRadio() as radio, VirtualAdapter(radio, pin=pin, key_store=ours) as adapter:
            await Peripheral(radio).start(theirs)
            async with BleakClient(ADDRESS, backend=adapter.client, timeout=5, pair=pin is not None) as client:
                value = bytes(await client.read_gatt_char(SECRET))
                if forget:
                    await client.unpair()
                return value

    assert await secret("014916") == b"secret"
    assert await secret(None) == b"secret"
    assert await secret(None, forget=True) == b"secret"
    with pytest.raises(BleakGATTProtocolError):
        await secret(None)


async def test_a_device_that_forgot_the_bond_is_an_error_not_a_hang(tmp_path: Path) -> None:
    ours, theirs = tmp_path / "ours.json", tmp_path / "theirs.json"
    async with VirtualRadio() as radio, VirtualAdapter(radio, pin="014916", key_store=ours) as adapter:
        await Peripheral(radio).start(theirs)
        async with BleakClient(ADDRESS, backend=adapter.client, timeout=5) as client:
            await client.pair()
    async with VirtualRadio() as radio, VirtualAdapter(radio, pin="014916", key_store=ours) as adapter:
        await Peripheral(radio).start(tmp_path / "empty.json")
        with pytest.raises((BleakError, TimeoutError)):
            await BleakClient(ADDRESS, backend=adapter.client, timeout=3).connect()


async def test_the_callback_tells_when_the_device_leaves(
    radio: VirtualRadio, peripheral: Peripheral, adapter: VirtualAdapter
) -> None:
    left = asyncio.Event()
    client = BleakClient(ADDRESS, backend=adapter.client, timeout=5, disconnected_callback=lambda client: left.set())
    await client.connect()
    connection: Connection = next(iter(peripheral.device.connections.values()))
    await connection.disconnect()
    await asyncio.wait_for(left.wait(), 2)
    assert not client.is_connected
    with pytest.raises(BleakError):
        await client.read_gatt_char(OPEN)


async def test_a_device_out_of_range_times_out_and_the_adapter_goes_on(
    peripheral: Peripheral, adapter: VirtualAdapter
) -> None:
    with pytest.raises(TimeoutError):
        await BleakClient("C2:00:00:00:00:99", backend=adapter.client, timeout=0.2).connect()
    async with BleakClient(ADDRESS, backend=adapter.client, timeout=5) as client:
        assert await client.read_gatt_char(OPEN) == b"open"


async def test_a_device_that_only_advertises_takes_no_connection(radio: VirtualRadio, adapter: VirtualAdapter) -> None:
    radio.advertiser("C2:00:00:00:00:08", name="x", interval=0.02).update(b"x")
    with pytest.raises(TimeoutError):
        await BleakClient("C2:00:00:00:00:08", backend=adapter.client, timeout=0.3).connect()


async def test_connecting_while_scanning_and_advertising_again_afterwards(
    peripheral: Peripheral, adapter: VirtualAdapter
) -> None:
    heard = asyncio.Event()
    async with BleakScanner(lambda device, data: heard.set(), backend=adapter.scanner):
        await asyncio.wait_for(heard.wait(), 2)
        async with BleakClient(ADDRESS, backend=adapter.client, timeout=5):
            await asyncio.sleep(0.05)
            heard.clear()
            await asyncio.sleep(0.1)
            assert not heard.is_set(), "a connected device is silent"
        await asyncio.wait_for(heard.wait(), 2)


async def test_an_unknown_characteristic_is_named(peripheral: Peripheral, adapter: VirtualAdapter) -> None:
    async with BleakClient(ADDRESS, backend=adapter.client, timeout=5) as client:
        with pytest.raises(BleakCharacteristicNotFoundError):
            await client.read_gatt_char("99999999-2222-4333-8444-555566667777")


async def test_two_connections_at_once(radio: VirtualRadio, peripheral: Peripheral, adapter: VirtualAdapter) -> None:
    await Peripheral(radio, address="C2:00:00:00:00:17").start()
    first = BleakClient(ADDRESS, backend=adapter.client, timeout=5)
    second = BleakClient("C2:00:00:00:00:17", backend=adapter.client, timeout=5)
    await asyncio.gather(first.connect(), second.connect())
    assert await asyncio.gather(first.read_gatt_char(OPEN), second.read_gatt_char(OPEN)) == [b"open", b"open"]
    await asyncio.gather(first.disconnect(), second.disconnect())
